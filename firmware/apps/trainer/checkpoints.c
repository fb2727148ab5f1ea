/* SPDX-License-Identifier: Apache-2.0 */
#include "checkpoints.h"

#include <stddef.h>

#include "secondpass/port.h"

#ifdef SP_HAS_CHECKPOINTS

/* Looking at both slots each time costs no memory between two requests, and little time beside an
 * erase. */
static sp_status_t open_store(sp_store_t *store, sp_model_t *model)
{
    const sp_flash_t *flash = sp_port_flash();
    const sp_checkpoint_t content = sp_model_checkpoint(model);

    return flash != NULL ? sp_store_open(store, flash, &content) : SP_ERROR_SPACE;
}

sp_status_t sp_save_checkpoint(sp_model_t *model, sp_save_report_t *report)
{
    sp_store_t store;
    const sp_status_t status = open_store(&store, model);

    return status == SP_OK ? sp_store_save(&store, report) : status;
}

sp_status_t sp_load_checkpoint(sp_model_t *model)
{
    sp_store_t store;
    const sp_status_t status = open_store(&store, model);

    return status == SP_OK ? sp_store_load(&store) : status;
}

#endif
