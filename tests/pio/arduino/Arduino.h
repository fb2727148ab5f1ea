/* SPDX-License-Identifier: Apache-2.0
 *
 * What the Arduino port uses of an Arduino core, declared as the cores of the real boards do
 * (ArduinoCore-API: Print.h, Stream.h, HardwareSerial.h, Common.h; the STM32 core declares the
 * same). Nothing more is declared, so that what the port uses beyond it does not compile. The short
 * macros are those of Common.h: names of ours must not meet them.
 */
#ifndef Arduino_h
#define Arduino_h

#include <stddef.h>
#include <stdint.h>

#define HIGH 1
#define LOW 0
#define INPUT 0
#define OUTPUT 1
#define min(a, b) ((a) < (b) ? (a) : (b))
#define max(a, b) ((a) > (b) ? (a) : (b))
#define abs(x) ((x) > 0 ? (x) : -(x))
#define round(x) ((x) >= 0 ? (long)((x) + 0.5) : (long)((x)-0.5))
#define bit(b) (1UL << (b))

/* STM32 core, uart and HardwareSerial: 64 unless the build says otherwise. */
#ifndef SERIAL_RX_BUFFER_SIZE
#define SERIAL_RX_BUFFER_SIZE 64
#endif

class Print {
public:
    virtual size_t write(uint8_t) = 0;
    virtual size_t write(const uint8_t *buffer, size_t size);
    virtual void flush() {}
};

class Stream : public Print {
public:
    virtual int available() = 0;
    virtual int read() = 0;
};

class HardwareSerial : public Stream {
public:
    void begin(unsigned long baud);
    int available(void) override;
    int read(void) override;
    void flush(void) override;
    size_t write(uint8_t) override;
    using Print::write;
};

extern HardwareSerial Serial;

extern "C" {
void setup(void);
void loop(void);
unsigned long micros(void);
}

#endif
