/* What the environment says about the hub, as huggingface_hub reads it. */
#pragma once
#include <glib.h>

/* HF_TOKEN (or HUGGING_FACE_HUB_TOKEN), else the file HF_TOKEN_PATH or $HF_HOME/token that `huggingface-cli login` leaves, unless
 * HF_HUB_DISABLE_IMPLICIT_TOKEN is set; NULL when there is none. Free with g_free. Never print it. */
char *glint_hub_token(void);
gboolean glint_hub_offline(void); /* HF_HUB_OFFLINE */
