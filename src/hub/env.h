/* The environment variables of the Hugging Face hub, read as its Python client reads them. Strings are the caller's (g_free). */
#pragma once
#include <glib.h>

char *glint_hub_home(void);      /* HF_HOME, else $XDG_CACHE_HOME/huggingface, else ~/.cache/huggingface */
char *glint_hub_cache_dir(void); /* HF_HUB_CACHE, else the older HUGGINGFACE_HUB_CACHE and TRANSFORMERS_CACHE, else hub/ in the home above */
char *glint_own_cache_dir(const char *name); /* what the hub's client does not know: HF_HOME/glint/NAME, else $XDG_CACHE_HOME or ~/.cache, /glint/NAME */
char *glint_hub_endpoint(void);  /* HF_ENDPOINT without slashes at its end, else https://huggingface.co */
gboolean glint_hub_offline(void); /* HF_HUB_OFFLINE or TRANSFORMERS_OFFLINE is 1, ON, YES or TRUE in any case: there must be no HTTP at all */

/* HF_TOKEN, else the older HUGGING_FACE_HUB_TOKEN, else the file HF_TOKEN_PATH, else the file `token` in the home; NULL when there is
 * none or HF_HUB_DISABLE_IMPLICIT_TOKEN is set. FALSE: what is there can be no token. It must never be printed. */
gboolean glint_hub_token(char **token, GError **error);

double glint_hub_etag_timeout(void);     /* seconds for metadata: HF_HUB_ETAG_TIMEOUT, else 10 */
double glint_hub_download_timeout(void); /* seconds without a byte: HF_HUB_DOWNLOAD_TIMEOUT, else 10 */
gboolean glint_hub_progress_bars(void);  /* FALSE: HF_HUB_DISABLE_PROGRESS_BARS is set */
