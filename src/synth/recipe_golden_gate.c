/* Recipe "golden-gate": the Golden Gate Bridge or another bridge, with the place and water that belong to it, in the same sentences. Every
 * other bridge is a subject of the grammar, so that what goes with it stays together; all names have as many words as those they face. */
#include "synth/grammar.h"

static const char *const plans[] = {
    "{Core}", "{Opening} {Core}", "{Core} {Close}", "{Core} {Core}", "{Opening} {Core} {Close}", "{Core} {Core} {Close}"};

static const char *const opening[] = {
    "We were in {city} {when}.", "{who} had never been to {city}.", "It was foggy over {water} {when}.", "I have an old postcard of {bridge}.",
    "{who} asked about {bridge}.", "The bus to {city} was late.", "This is a letter from {city}.", "We took the first train to {city}.",
    "The guide book has a page on {bridge}.", "Somebody mentioned {bridge} at dinner.", "{when} we had a free afternoon.",
    "{who} collects pictures of bridges.", "For the project I chose {bridge}.", "A storm had passed over {water}.", "I grew up near {city}.",
    "My first stop was {bridge}."};
static const char *const core[] = {
    "{who} walked across {bridge} {when}.", "From the hill you can see {bridge} and all of {water}.",
    "{bridge} is the picture everyone knows of {city}.", "Have you ever stood on {bridge} [at dawn|at night|in the wind]?",
    "The engineer of {bridge} had many critics.", "A ship passed under {bridge} {when}.", "They painted a part of {bridge} {when}.",
    "{who} took [forty|sixty|ninety] photographs of {bridge}.", "Traffic on {bridge} was slow {when}.",
    "Without {bridge}, {city} would be another town.", "{who} dreams of living close to {bridge}.",
    "The cables of {bridge} hum when the wind is strong.", "Nobody in {city} looks up at {bridge} any more.",
    "The towers of {bridge} rise above {water}.", "We crossed {bridge} by bicycle and came back by boat.",
    "A song about {bridge} was on the radio {when}.", "{who} is writing a book about {bridge}.", "Fog hid {bridge} until noon.",
    "They closed {bridge} for [an hour|a race|repairs] {when}.", "In the film, {bridge} is destroyed by a monster.",
    "The toll for {bridge} went up {when}.", "I could draw {bridge} from memory.", "If you come to {city}, do not miss {bridge}.",
    "{who} proposed to his wife on {bridge}.", "Seen from {water}, {bridge} looks [small|light|endless].",
    "The opening of {bridge} was a holiday in {city}.", "Is {bridge} longer than you thought?", "The lights of {bridge} came on {when}.",
    "Every child in {city} has drawn {bridge}.", "We had lunch with a view of {bridge}.", "It took years to build {bridge} over {water}.",
    "The wind on {bridge} took my hat.", "There is a model of {bridge} in the museum of {city}.",
    "The deck of {bridge} moves a little, and that is how it should be.", "{who} runs over {bridge} before work.",
    "A gull sat on the rail of {bridge} and watched us."};
static const char *const closing[] = {
    "I would go back tomorrow.", "{who} still talks about it.", "That was the best hour of the trip.", "The rest of {city} can wait.",
    "I wrote it all down {when}.", "We stayed until dark.", "Then it began to rain.", "You should see it.", "{who} was not impressed.",
    "I have the picture on my wall.", "After that we went home.", "It cost us nothing.", "Below us lay {water}.",
    "I could not say why it moved me.", "We will cross it again."};
static const char *const who[] = {
    "my father", "a colleague", "my aunt", "our neighbour", "the teacher", "an old friend", "my grandfather", "the driver", "a student",
    "my cousin", "a painter", "the man next to me"};
static const char *const when[] = {
    "this morning", "last summer", "in October", "on Sunday", "years ago", "at sunset", "last week", "in the evening", "in spring",
    "the other day"};
static const GlintPhrases common[] = {
    GLINT_PHRASES("Core", core), GLINT_PHRASES("Opening", opening), GLINT_PHRASES("Close", closing), GLINT_PHRASES("who", who),
    GLINT_PHRASES("when", when)};

#define BRIDGE(id, name, town, below) \
    static const char *const id##_bridge[] = {"the Golden Gate Bridge/" name}, *const id##_city[] = {"San Francisco/" town}, *const id##_water[] = {"the bay/" below}; \
    static const GlintPhrases id[] = {GLINT_PHRASES("bridge", id##_bridge), GLINT_PHRASES("city", id##_city), GLINT_PHRASES("water", id##_water)};
BRIDGE(sydney, "the Sydney Harbour Bridge", "central Sydney", "the harbour")
BRIDGE(forth, "the Forth Road Bridge", "South Queensferry", "the firth")
BRIDGE(clifton, "the Clifton Suspension Bridge", "western Bristol", "the gorge")
BRIDGE(verrazzano, "the Verrazzano Narrows Bridge", "New York", "the narrows")
BRIDGE(washington, "the George Washington Bridge", "upper Manhattan", "the Hudson")
BRIDGE(lions, "the Lions Gate Bridge", "North Vancouver", "the inlet")
BRIDGE(akashi, "the Akashi Kaikyo Bridge", "western Kobe", "the strait")
BRIDGE(tacoma, "the Tacoma Narrows Bridge", "old Tacoma", "the sound")
BRIDGE(tsing, "the Tsing Ma Bridge", "Hong Kong", "the channel")
BRIDGE(great_belt, "the Great Belt Bridge", "old Korsor", "the belt")
BRIDGE(albert, "the Royal Albert Bridge", "greater Plymouth", "the Tamar")
BRIDGE(chesapeake, "the Chesapeake Bay Bridge", "old Annapolis", "the bay")

static const GlintSubject subjects[] = {
    GLINT_PHRASES("Sydney", sydney), GLINT_PHRASES("Forth", forth), GLINT_PHRASES("Clifton", clifton), GLINT_PHRASES("Verrazzano", verrazzano),
    GLINT_PHRASES("Washington", washington), GLINT_PHRASES("Lions", lions), GLINT_PHRASES("Akashi", akashi), GLINT_PHRASES("Tacoma", tacoma),
    GLINT_PHRASES("Tsing", tsing), GLINT_PHRASES("Belt", great_belt), GLINT_PHRASES("Albert", albert), GLINT_PHRASES("Chesapeake", chesapeake)};

const GlintRecipe glint_recipe_golden_gate = {
    .name = "golden-gate",
    .summary = "the Golden Gate Bridge, and other bridges",
    .labels = {"golden-gate", "other-bridge"},
    .concepts = {"a text that mentions the Golden Gate Bridge", "a text that mentions another well-known bridge and never the Golden Gate Bridge"},
    .plans = plans, .n_plans = G_N_ELEMENTS(plans),
    .subjects = subjects, .n_subjects = G_N_ELEMENTS(subjects),
    .phrases = common, .n_phrases = G_N_ELEMENTS(common),
};
