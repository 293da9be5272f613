/* What a run found, in plain words. Everything printed is read from the report that run.json holds. */
#include "cli/summary.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const char *text_of(json_t *object, const char *key)
{
    const char *value = json_string_value(json_object_get(object, key));
    return value ? value : "";
}

static long long count_of(json_t *object, const char *key) { return (long long)json_integer_value(json_object_get(object, key)); }
static double real_of(json_t *object, const char *key) { return json_number_value(json_object_get(object, key)); }

static void print_results(json_t *results)
{
    int width = 5;
    size_t k;
    json_t *result;
    json_array_foreach(results, k, result)
        width = MAX(width, (int)strlen(text_of(result, "class")));
    printf("\n%-26s %-*s %7s %7s %8s %8s %8s %7s %11s %9s\n", "site", width, "class", "samples", "neurons", "edges", "modules", "modular.", "lambda", "hub", "gap");
    json_array_foreach(results, k, result)
        printf("%-26s %-*s %7lld %7lld %8lld %8lld %8.2f %7.4f %11s %9.1e\n", text_of(result, "site"), width, text_of(result, "class"), count_of(result, "n"),
               count_of(result, "p"), count_of(result, "edges"), count_of(result, "modules"), real_of(result, "modularity"), real_of(result, "lambda"),
               text_of(result, "hub"), real_of(result, "relative_duality_gap"));
}

/* "positive +0.31, negative none" */
static void print_pcor(json_t *pcor)
{
    const char *name;
    json_t *value;
    const char *separator = "";
    json_object_foreach(pcor, name, value) {
        double rho = json_number_value(value);
        if (rho == 0)
            printf("%s%s none", separator, name);
        else
            printf("%s%s %+.2f", separator, name, rho);
        separator = ", ";
    }
}

static void print_comparison(json_t *comparison)
{
    json_t *classes = json_object_get(comparison, "classes"), *class_counts;
    const char *name;
    printf("  %-26s %lld edges in every class (%.0f %% of all)", text_of(comparison, "site"), count_of(comparison, "shared"), 100 * real_of(comparison, "jaccard"));
    json_object_foreach(classes, name, class_counts)
        printf(", %lld only in %s", count_of(class_counts, "only"), name);
    if (count_of(comparison, "opposite") > 0)
        printf(", %lld change sign", count_of(comparison, "opposite"));
    json_t *strongest = json_array_get(json_object_get(comparison, "strongest"), 0);
    if (strongest) {
        printf("\n  %-26s largest difference: %s -- %s (", "", text_of(strongest, "a"), text_of(strongest, "b"));
        print_pcor(json_object_get(strongest, "pcor"));
        printf(")");
    }
    putchar('\n');
}

/* The site where the classes share least of their edges; NULL when nothing was compared. */
static json_t *most_different(json_t *comparisons)
{
    json_t *least = NULL, *comparison;
    size_t k;
    json_array_foreach(comparisons, k, comparison)
        if (!least || real_of(comparison, "jaccard") < real_of(least, "jaccard"))
            least = comparison;
    return least;
}

static void print_comparisons(json_t *comparisons)
{
    if (json_array_size(comparisons) == 0) {
        printf("\nThere is one class, so there is nothing to compare.\n");
        return;
    }
    printf("\nWhat differs between the classes (partial correlations):\n");
    json_t *comparison;
    size_t k;
    json_array_foreach(comparisons, k, comparison)
        print_comparison(comparison);
    if (json_array_size(comparisons) > 1)
        printf("The classes share least at %s.\n", text_of(most_different(comparisons), "site"));
    printf("Part of every difference is sampling noise: two samples of one class differ too.\n");
}

static json_t *clearest_result(json_t *results)
{
    json_t *best = NULL, *result;
    size_t k;
    json_array_foreach(results, k, result)
        if (!best || real_of(result, "modularity") > real_of(best, "modularity"))
            best = result;
    return best;
}

void glint_print_summary(json_t *report, const char *folder, gboolean pictures)
{
    json_t *results = json_object_get(report, "results"), *comparisons = json_object_get(report, "compare");
    printf("An edge joins two neurons that are dependent given all others; a module is a group joined more densely within than chance would have it.\n");
    print_results(results);
    print_comparisons(comparisons);
    json_t *best = clearest_result(results), *different = most_different(comparisons);
    if (pictures && best) {
        printf("\nPictures, in every <class>/<site>/: precision.png, graph.png, graph.svg. To start with:\n  %s/graph.png\n"
               "  %s/precision.png\n", text_of(best, "folder"), text_of(best, "folder"));
        if (different)
            printf("  %s/partial_correlations.png\n", text_of(different, "folder"));
    }
    printf("\nAll results are in %s; run.json says how they were made. %.0f s.\n", folder, real_of(report, "seconds"));
}
