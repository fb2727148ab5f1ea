# SPDX-License-Identifier: Apache-2.0
"""PlatformIO's build script for emulated boards; their board files hold every flag."""

from SCons.Script import AlwaysBuild, Default, DefaultEnvironment

env = DefaultEnvironment()
board = env.BoardConfig()
tools = board.get("build.compiler").removesuffix("gcc")
flags = board.get("build.flags")

env.Replace(
    CC=f"{tools}gcc",
    AS=f"{tools}gcc",
    LINK=f"{tools}gcc",
    AR=f"{tools}ar",
    RANLIB=f"{tools}ranlib",
    SIZETOOL=f"{tools}size",
    PROGNAME="firmware",
    PROGSUFFIX=".elf",
    ARFLAGS=["rc"],
    ASFLAGS=flags,
    CCFLAGS=flags,
    LINKFLAGS=[*flags, *board.get("build.link_flags")],
    SIZEPRINTCMD="$SIZETOOL -B -d $SOURCES",
    SIZECHECKCMD="$SIZETOOL -A -d $SOURCES",
    SIZEPROGREGEXP=r"^(?:\.text|\.data|\.ARM\.exidx)\s+(\d+).*",
    SIZEDATAREGEXP=r"^(?:\.data|\.bss)\s+(\d+).*",
)

program = env.BuildProgram()
size = env.AddPlatformTarget(
    "size", program, env.VerboseAction("$SIZEPRINTCMD", "Size of $SOURCE"), "Program size"
)
python = board.get("upload.python")
env.Replace(UPLOADCMD=f'"{python}" -m secondpass.pio.upload {board.id} "$SOURCE" $UPLOAD_PORT')
env.AddPlatformTarget(
    "upload",
    program,
    [env.VerboseAction("$UPLOADCMD", "Loading $SOURCE into the running board")],
    "Upload",
)
AlwaysBuild(env.Alias("nobuild", program))
Default([program, size])
