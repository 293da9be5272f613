/* A stand-in for model and tokenizer with a known answer, so that collecting can be tested by itself: activations are a
 * formula of token, position, layer and column, and the model can be told to die, to be interrupted or to overflow. */
#pragma once
#include "model/model.h"
#include "text/tokenizer.h"

enum { FAKE_LAYERS = 3, FAKE_WIDTH = 37, FAKE_BOS = 256, FAKE_MAX_TOKENS = 64 };

/* Activation of layer `layer`, column `j`, for a token at a position of its sequence. */
float fake_activation(guint32 token, gsize position, gsize layer, gsize j);

typedef struct {
    int forwards;           /* calls so far */
    int kill_at;            /* SIGKILL to this process at the start of this call (1 = first); 0 = never */
    int interrupt_at;       /* SIGINT at the start of this call */
    guint32 overflow_token; /* activations of this token are infinite in layer 1, column 5; 0 = none */
    unsigned sleep_us;      /* per call */
} FakeControl;
extern FakeControl fake;

GlintModel *fake_model(void);
GlintTokenizer *fake_tokenizer(void); /* one token a byte, BOS in front */
