/* samples.html: what the model writes with and without steering, side by side. One file, no script, nothing loaded from elsewhere. */
#include "base/files.h"
#include "cli/steer_samples.h"

#include <math.h>
#include <stdio.h>

static const char style[] =
    "body{font:15px/1.5 system-ui,sans-serif;color:#222;max-width:78rem;margin:2rem auto;padding:0 1.5rem}\n"
    "h1{font-size:1.4rem;margin:0 0 .4rem}p.verdict{color:#333;max-width:60rem}\n"
    "table.numbers{border-collapse:collapse;margin:1.2rem 0 2rem;font-size:.92rem}\n"
    "table.numbers th,table.numbers td{padding:.3rem .9rem .3rem 0;text-align:right;border-bottom:1px solid #e4e4e6}\n"
    "table.numbers th:first-child,table.numbers td:first-child{text-align:left}\n"
    "section{border-top:1px solid #ccc;padding:.9rem 0 1.1rem}\n"
    ".prompt{color:#666;margin:0 0 .6rem;max-width:70rem}\n"
    ".texts{display:grid;grid-template-columns:repeat(auto-fit,minmax(13rem,1fr));gap:1rem}\n"
    ".texts div{white-space:pre-wrap;overflow-wrap:anywhere}.texts b{display:block;font-size:.82rem;font-weight:600;color:#555;margin-bottom:.15rem}\n"
    ".module b{color:#1f5ca8}.note{color:#666;font-size:.88rem;max-width:60rem}\n"
    "@media(prefers-color-scheme:dark){body{background:#17181a;color:#ddd}p.verdict{color:#ccc}section{border-color:#444}table.numbers "
    "th,table.numbers td{border-color:#333}.prompt,.note{color:#999}"
    ".texts b{color:#aaa}.module b{color:#7fb0ea}}\n"
    "</style></head><body>\n";

static void print_escaped(FILE *out, const char *text)
{
    g_autofree char *escaped = g_markup_escape_text(text, -1);
    fputs(escaped, out);
}

static void print_number(FILE *out, const char *format, double value)
{
    char text[G_ASCII_DTOSTR_BUF_SIZE];
    fprintf(out, "<td>%s</td>", isfinite(value) ? g_ascii_formatd(text, sizeof text, format, value) : "–");
}

static void print_table(FILE *out, const GlintSteerSamples *self, const char *towards)
{
    fputs("<table class=\"numbers\"><tr><th>intervention</th><th>strength</th><th>KL</th><th>read as ", out);
    print_escaped(out, towards);
    fputs(", %</th><th>different words, %</th><th>different pairs, %</th><th>loss, nats a token</th></tr>\n", out);
    for (gsize a = 0; a < self->n_arms; a++) {
        const GlintSampleArm *arm = &self->arms[a];
        fprintf(out, "<tr><td>%s</td>", arm->role);
        print_number(out, "%.3g", arm->strength);
        print_number(out, "%.3g", arm->kl);
        print_number(out, "%.0f", 100 * arm->class_rate);
        print_number(out, "%.0f", 100 * arm->distinct[0]);
        print_number(out, "%.0f", 100 * arm->distinct[1]);
        print_number(out, "%.2f", arm->nll);
        fputs("</tr>\n", out);
    }
    fputs("</table>\n", out);
}

static void print_text(FILE *out, const GlintSteerSamples *self, gsize k)
{
    fputs("<section><p class=\"prompt\">", out);
    print_escaped(out, self->prompts[k]);
    fputs(" …</p><div class=\"texts\">", out);
    for (gsize a = 0; a < self->n_arms; a++) {
        fprintf(out, "<div class=\"%s\"><b>%s</b>", self->arms[a].role, self->arms[a].role);
        print_escaped(out, self->arms[a].texts[k]);
        fputs("</div>", out);
    }
    fputs("</div></section>\n", out);
}

gboolean glint_steer_samples_page(const GlintSteerSamples *self, const GlintSteerPlan *plan, const GlintSteerTrial *trial, const char *title, const char *path, GError **error)
{
    GlintFile *file = glint_file_new(path, error);
    if (!file)
        return FALSE;
    FILE *out = glint_file_stream(file);
    g_autofree char *escaped = g_markup_escape_text(title, -1);
    fprintf(out, "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\n<title>%s</title>\n<style>\n", escaped);
    fputs(style, out);
    fprintf(out, "<h1>%s</h1>\n<p class=\"verdict\">", escaped);
    print_escaped(out, trial->verdict);
    fputs("</p>\n", out);
    print_table(out, self, plan->towards);
    fprintf(out, "<p class=\"note\">%zu held-out prompts, greedy continuations of %zu tokens, every intervention at the same KL. “Read as” is "
                 "the judgement of a classifier of words and pairs of words, "
            "trained on the texts that the graphs were made from; on %zu held-out texts as they are it is right in %.0f %% of cases. The loss is "
            "that of the continuation under the model when nobody steers.</p>\n",
            self->n, plan->sample_tokens, self->n_clean, 100 * self->clean_accuracy);
    for (gsize k = 0; k < self->n; k++)
        print_text(out, self, k);
    fputs("</body></html>\n", out);
    return glint_file_commit(file, error);
}
