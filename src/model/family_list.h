/* One line per family: FAMILY(x) is `const GliFamily gli_family_x` in family_x.c. */
FAMILY(gemma3)
FAMILY(gpt2)
FAMILY(gpt_neox)
FAMILY(llama)
