/* Questions to whatever writes texts: a server (api.h) or a model on this machine (own_model.h). */
#pragma once
#include <glib.h>
#include <jansson.h>

typedef struct {
    const char *system, *user;
    json_t *schema; /* of the answer, for those that can hold a model to one; borrowed */
} GlintQuestion;

typedef struct {
    /* Asks all; answers[i] (free with g_free) is what the model wrote, NULL where this question was declined. FALSE when there is
     * no use in going on: no connection, a wrong key or model, limits that stay exceeded, Ctrl-C. */
    gboolean (*ask)(gpointer self, const GlintQuestion *questions, gsize n, char **answers, GError **error);
    const char *(*refusal)(gpointer self); /* the first reason why a question was declined; NULL: none was */
    gpointer self;
    const char *advice; /* what a user can do when too little came */
} GlintAnswerer;
