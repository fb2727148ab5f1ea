/* SPDX-License-Identifier: Apache-2.0
 *
 * The trainer's checkpoints in the flash of the port.
 */
#ifndef SECONDPASS_APPS_CHECKPOINTS_H
#define SECONDPASS_APPS_CHECKPOINTS_H

#include "secondpass/trainer.h"

#if defined(SP_PORT_HAS_FLASH) && SP_MODEL_LEARNS
#define SP_HAS_CHECKPOINTS
#endif

/* As sp_platform_t wants them. */
sp_status_t sp_save_checkpoint(sp_model_t *model, sp_save_report_t *report);
sp_status_t sp_load_checkpoint(sp_model_t *model);

#endif
