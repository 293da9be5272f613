/* Recipe "locations": the same sentences about a place on the map, or about a person or work that people know and talk about. Both sides
 * have proper names, out of lists so long that the concept is not one word. */
#include "synth/grammar.h"

static const char *const plans[] = {
    "{Core}", "{Opening} {Core}", "{Core} {Close}", "{Core} {Core}", "{Opening} {Core} {Close}", "{Opening} {Core} {Core}"};

static const char *const opening[] = {
    "We had a long talk {when}.", "{who} came round {when}.", "I found an old diary {when}.", "It was a quiet evening.", "The radio was on.",
    "{who} asked what I thought of {name}.", "Here is a thought about {name}.", "You asked me a question {when}.", "We were stuck in the lift.",
    "The teacher wrote {name} on the board.", "A letter arrived {when}.", "{who} and I agree on one thing.", "Let me tell you about {name}.",
    "There was a silence at the table.", "The quiz began with {name}.", "I had promised {who} a story."};
static const char *const core[] = {
    "{who} knows everything about {name}.", "The book on the table is about {name}.", "We talked about {name} all evening.",
    "I have loved {name} since I was a child.", "{who} gave a talk on {name} {when}.",
    "Nobody had told me that {name} could be so [quiet|lively|simple].", "The article compares {name} with {name}.",
    "There is a museum that shows nothing but {name}.", "{who} prefers {name} to {name}.", "What do you like about {name}?",
    "The song reminds me of {name}.", "{name} was new to {who}.", "I saw a film about {name} {when}.",
    "For years {who} thought of nothing but {name}.", "The exhibition on {name} closes {when}.", "I cannot explain {name} in one sentence.",
    "A stranger on the train spoke of {name}.", "{who} has written three books about {name}.", "My first memory of {name} is a smell.",
    "Have you ever heard {who} on {name}?", "The course on {name} is full.", "Without {name} this would be a different story.",
    "{who} wants to hear more of {name}.", "Two chapters deal with {name}, the rest with {name}.", "The picture over the sofa shows {name}.",
    "I used to think that {name} was dull.", "{name} is what {who} misses most.", "The lecture began with {name} and ended with {name}.",
    "In her letters she returns to {name} again and again.", "{who} was asked about {name} {when}.", "There are people who live for {name}.",
    "The best thing about {name} is the silence.", "I know less about {name} than about {name}.", "Most of what {who} says about {name} is true.",
    "{name} is in the news {when}.", "It all started with {name}."};
static const char *const closing[] = {
    "I will never tire of it.", "{who} disagreed.", "That was all he said.", "We left it at that.", "You never know.", "It made me laugh.",
    "I would like to know more.", "Then we did the dishes.", "{who} nodded.", "I wrote it down {when}.", "It is a long story.", "Nobody asked why.",
    "So much for {name}.", "The rest is not worth telling.", "We changed the subject to {name}."};
static const char *const who[] = {
    "my father", "a colleague", "my aunt", "our neighbour", "the teacher", "an old friend", "my grandfather", "the driver", "a student",
    "my cousin", "the librarian", "my sister"};
static const char *const when[] = {
    "this morning", "last summer", "in October", "on Sunday", "last night", "last week", "in the evening", "in spring", "the other day",
    "before lunch"};
static const char *const name[] = {
    "Lisbon/Mozart", "Norway/Darwin", "Cairo/Homer", "Peru/Chopin", "Vienna/Newton", "Kenya/Picasso", "Boston/Hamlet", "Japan/Kafka",
    "Dublin/Goethe", "Chile/Bach", "Prague/Galileo", "Iceland/Einstein", "Bogota/Rembrandt", "Morocco/Tolstoy", "Warsaw/Euclid", "Portugal/Vivaldi",
    "Nairobi/Plato", "Finland/Kepler", "Seville/Schubert", "Vietnam/Cervantes", "Glasgow/Dante", "Greece/Voltaire", "Toronto/Monet",
    "Bolivia/Beethoven", "Athens/Ibsen", "Sweden/Euler", "Madrid/Brahms", "Jordan/Mahler", "Berlin/Faraday", "Cuba/Virgil", "Lima/Sophocles",
    "Poland/Verdi", "Havana/Dickens", "Mongolia/Orwell", "Sofia/Chekhov", "Austria/Cicero", "Jakarta/Gauss", "Ecuador/Handel", "Riga/Rossini",
    "Zambia/Byron", "New Zealand/Jane Austen", "Buenos Aires/Marie Curie", "South Africa/Charlie Chaplin", "New Orleans/Emily Dickinson",
    "Sri Lanka/Clara Schumann", "Hong Kong/Johann Strauss", "Costa Rica/Ada Lovelace", "Saint Petersburg/Louis Armstrong",
    "Kuala Lumpur/Miles Davis", "Addis Ababa/Mark Twain", "Cape Town/Alan Turing", "San Sebastian/Frida Kahlo", "North Wales/Nina Simone",
    "Los Angeles/Ella Fitzgerald", "Salt Lake/Buster Keaton", "Lake Como/Oscar Wilde", "the Alps/the Beatles", "the Sahara/the Odyssey",
    "the Baltic/the Messiah", "the Andes/the Iliad", "the Balkans/the Decameron", "the Arctic/the Minotaur", "the Nile/the Sphinx",
    "the Hebrides/the Valkyries", "the Pacific/the Titanic", "the Rhine/the Nibelungs"};
static const GlintPhrases common[] = {
    GLINT_PHRASES("Core", core), GLINT_PHRASES("Opening", opening), GLINT_PHRASES("Close", closing), GLINT_PHRASES("who", who),
    GLINT_PHRASES("when", when), GLINT_PHRASES("name", name)};

const GlintRecipe glint_recipe_locations = {
    .name = "locations",
    .summary = "sentences about a place, and about a person or work",
    .labels = {"location", "other"},
    .concepts = {"a text about a place that can be found on a map, named in it (a city, country, river, mountain range)",
                 "a text about a well-known person or work, named in it, and without the name of any place"},
    .plans = plans, .n_plans = G_N_ELEMENTS(plans),
    .phrases = common, .n_phrases = G_N_ELEMENTS(common),
};
