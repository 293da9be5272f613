/* A hand-made network whose answers are known: one layer of neurons, logits linear in them, no attention.
 *
 * Token t makes neuron j fire at network_activation(t, j); taps of blocks.0.mlp.hook_post may change it; then
 *     logit_v = bias_v + sum_j effect_vj h_j.
 * Neurons 0..5 are one module, 6..11 another; both fire more on texts of the class "pos". Only the first writes to the words of the
 * classes (tokens GOOD and BAD); the second writes to words that have nothing to do with them, about as strongly. The rest write a little
 * everywhere. hook_resid_post is [N, 4], which nothing depends on. */
#pragma once
#include "model/model.h"
#include "steer/lab.h"
#include "steer/layer.h"

enum { NET_NEURONS = 48, NET_MODULE = 6, NET_VOCAB = 24, NET_RESIDUAL = 4, NET_BOS = 0, NET_GOOD = 1, NET_BAD = 2 };

GlintModel *network_model(void);
double network_activation(guint32 token, gsize neuron);
double network_effect(gsize token, gsize neuron);
double network_bias(gsize token);
extern int network_forwards;

/* The layer as glint would have estimated it: modules 0 (the causal one) and 1 (the useless one), means by class, a covariance. */
GlintSteerLayer *network_layer(void);
/* n texts of `length` tokens, BOS first, drawn from a seed. */
GlintSteerTexts *network_texts(gsize n, gsize length, guint32 seed);
GlintVerbalisers network_verbalisers(void);
