/* Recipe "language": the same sentences in English and in French. Here every word differs, and that is the concept; what is kept alike is
 * the frame, the meaning, the order of the parts and the punctuation. Verbs stand in the third person singular and participles agree with
 * nothing, so that any subject fits any predicate. */
#include "synth/grammar.h"

static const char *const plans[] = {
    "{Sentence}", "{Sentence} {Sentence}", "{Sentence} {Close}", "{Opening} {Sentence}", "{Opening} {Sentence} {Close}"};

static const char *const opening[] = {
    "Everyone knows it./Tout le monde le sait.", "It is a simple story./C'est une histoire simple.", "Here is what happens./Voici ce qui se passe.",
    "That is how the day begins./C'est ainsi que commence la journée.", "Nothing has changed./Rien n'a changé.", "Listen to this./Écoute ceci.",
    "It is the same every year./C'est pareil chaque année.", "I am told the following./On me raconte ceci.",
    "The street is calm./La rue est calme.", "It has been raining./Il a plu.", "The house is quiet./La maison est calme.",
    "The story is true./L'histoire est vraie."};
static const char *const sentence[] = {
    "{time}, {who} {does}./{time}, {who} {does}.", "{who} {does} {time}./{who} {does} {time}.", "{who} {does} {place}./{who} {does} {place}.",
    "{time}, {who} {does} {place}./{time}, {who} {does} {place}.", "{who} {does}, and {who} {does}./{who} {does}, et {who} {does}.",
    "{who} {does}, but {who} {does}./{who} {does}, mais {who} {does}.", "When {who} {does}, {who} {does}./Quand {who} {does}, {who} {does}.",
    "{place}, {who} {does}./{place}, {who} {does}.", "{place}, {who} {does} {time}./{place}, {who} {does} {time}.",
    "While {who} {does}, {who} {does} {place}./Pendant que {who} {does}, {who} {does} {place}.",
    "I know that {who} {does}./Je sais que {who} {does}.", "I think that {who} {does} {time}./Je pense que {who} {does} {time}.",
    "They say that {who} {does} {place}./On dit que {who} {does} {place}.", "It is true: {who} {does}./C'est vrai : {who} {does}.",
    "{who} {does} because {who} {does}./{who} {does} parce que {who} {does}.",
    "Why is it that {who} {does} {time}, and {who} {does}?/Pourquoi est-ce que {who} {does} {time}, et {who} {does} ?",
    "{who} {does}; {who} {does}./{who} {does} ; {who} {does}.", "{time}, {who} {does}, then {does}./{time}, {who} {does}, puis {does}.",
    "{who} {does}, then {does} {place}./{who} {does}, puis {does} {place}.",
    "We see that {who} {does} {time}./Nous voyons que {who} {does} {time}.",
    "Nobody knows why {who} {does}./Personne ne sait pourquoi {who} {does}.", "{time} and {time}, {who} {does}./{time} et {time}, {who} {does}.",
    "Since {who} {does}, {who} {does} {time}./Puisque {who} {does}, {who} {does} {time}.",
    "{who} {does}, {who} {does}, and {who} {does}./{who} {does}, {who} {does}, et {who} {does}."};
static const char *const closing[] = {
    "That is all./C'est tout.", "It is a habit./C'est une habitude.", "Nobody is surprised./Personne n'est surpris.",
    "I find it beautiful./Je trouve cela beau.", "Life goes on./La vie continue.", "It does not matter./Peu importe.",
    "We are used to it./Nous en avons l'habitude.", "Tomorrow it begins again./Demain, tout recommence.", "And that is good./Et c'est bien.",
    "It is not easy./Ce n'est pas facile."};
static const char *const who[] = {
    "my sister/ma sœur", "the teacher/le professeur", "our neighbour/notre voisin", "the baker/le boulanger", "my grandmother/ma grand-mère",
    "the old man/le vieil homme", "the little girl/la petite fille", "my brother/mon frère", "the doctor/le médecin", "the gardener/le jardinier",
    "a young woman/une jeune femme", "the postman/le facteur", "my uncle/mon oncle", "the driver/le chauffeur", "the student/l'étudiant",
    "his mother/sa mère", "the fisherman/le pêcheur", "a tourist/un touriste", "the painter/le peintre", "our cousin/notre cousin",
    "the mayor/le maire", "my friend/mon ami", "the waiter/le serveur", "the child/l'enfant"};
static const char *const does[] = {
    "buys bread/achète du pain", "reads a book/lit un livre", "writes a letter/écrit une lettre", "drinks a coffee/boit un café",
    "opens the window/ouvre la fenêtre", "closes the door/ferme la porte", "sings a song/chante une chanson", "looks at the sky/regarde le ciel",
    "cooks the dinner/prépare le dîner", "eats an apple/mange une pomme", "waits for the bus/attend le bus", "looks for a key/cherche une clé",
    "plays the piano/joue du piano", "washes the car/lave la voiture", "sells flowers/vend des fleurs", "counts the days/compte les jours",
    "speaks very softly/parle tout bas", "sleeps well/dort bien", "works a lot/travaille beaucoup", "tells a story/raconte une histoire",
    "draws a cat/dessine un chat", "repairs a chair/répare une chaise", "listens to the rain/écoute la pluie", "forgets the time/oublie l'heure",
    "finds a coin/trouve une pièce", "learns a language/apprend une langue", "takes the train/prend le train", "loses a game/perd une partie",
    "asks a question/pose une question", "carries a bag/porte un sac"};
static const char *const place[] = {
    "in the garden/dans le jardin", "at the market/au marché", "in the kitchen/dans la cuisine", "near the river/près de la rivière",
    "at the station/à la gare", "in the street/dans la rue", "on the beach/sur la plage", "behind the church/derrière l'église",
    "in front of the house/devant la maison", "at school/à l'école", "in the village/au village", "under the tree/sous l'arbre",
    "at the office/au bureau", "by the sea/au bord de la mer"};
static const char *const moment[] = {
    "in the morning/le matin", "in the evening/le soir", "on Sunday/le dimanche", "every day/chaque jour", "in winter/en hiver", "in summer/en été",
    "at noon/à midi", "after the meal/après le repas", "before school/avant l'école", "at night/la nuit", "on Monday/le lundi",
    "at five o'clock/à cinq heures", "sometimes/parfois", "every week/chaque semaine", "in spring/au printemps",
    "during the holidays/pendant les vacances"};
static const GlintPhrases common[] = {
    GLINT_PHRASES("Sentence", sentence), GLINT_PHRASES("Opening", opening), GLINT_PHRASES("Close", closing), GLINT_PHRASES("who", who),
    GLINT_PHRASES("does", does), GLINT_PHRASES("place", place), GLINT_PHRASES("time", moment)};

const GlintRecipe glint_recipe_language = {
    .name = "language",
    .summary = "the same sentences in English and French",
    .labels = {"english", "french"},
    .concepts = {"a text in English", "the same text in French"},
    .plans = plans, .n_plans = G_N_ELEMENTS(plans),
    .phrases = common, .n_phrases = G_N_ELEMENTS(common),
    .translated = TRUE,
};
