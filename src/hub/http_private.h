/* Shared by http.c and http_reply.c, for nobody else. */
#pragma once
#include "hub/http.h"

char *http_origin(const char *url);                          /* "https://host:443" in lower case; NULL for what is no http or https URL */
gboolean http_same_origin(const char *a, const char *b);
char *http_join(const char *base, const char *location);     /* `location` as seen from `base`; NULL when it is malformed */
GlintHttpReply *http_reply_new(const char *url);
gboolean http_is_success(long status);                       /* 2xx */
