/* Recipe "sentiment": reviews that praise or damn the same thing in the same words but for the judgement. Half of the frames hold a
 * clause of the other sentiment (a concession, hearsay that turns out wrong), so that single words give less away. */
#include "synth/grammar.h"

static const char *const plans[] = {
    "{Opening} {Body} {Close}", "{Body} {Close}", "{Opening} {Turn}", "{Turn} {Close}", "{Opening} {Turn} {Close}", "{Body} {Turn}",
    "{Turn} {Body} {Close}", "{Opening} {Body} {Turn} {Close}", "{Turn} {Aside} {Close}", "{Opening} {Aside} {Turn}"};

static const char *const opening[] = {
    "{context}.", "{context}, so I can speak from experience.", "I should say that {context}.", "For the record, {context}.",
    "Some background: {context}.", "{thing} left me {feel}.", "I came away from {thing} {feel}.", "{who} asked me what I thought of {thing}.",
    "Where do I begin?", "{context}, and {who} came along.", "Here is my view of {thing}.", "In short, {thing} was {adj}.",
    "After {thing} we were all {feel}.", "I rarely write reviews, but {thing} was {adj}.", "{when} I finally got round to it.",
    "Nobody had told me about {thing}.", "I have thought it over for a week.", "{thing} turned out to be {noun}.", "A few notes on {thing}.",
    "{context}; it was my first time."};
static const char *const body[] = {
    "{claim}.", "{claim}, and {claim}.", "{claim}; {claim}.", "Above all, {claim}.", "{claim}, and that left us {feel}.", "To begin with, {claim}.",
    "The main thing is that {claim}.", "On top of that, {claim}.", "{claim}, as {who} [pointed out|remarked|noticed].",
    "I must mention that {claim}.", "{claim}. On top of that, {claim}.", "Everyone agreed that {claim}.", "I found that {claim}.",
    "You could not deny that {claim}.", "I would say {claim}.", "{claim}, no doubt about it.", "It was clear within minutes that {claim}.",
    "{who} said that {claim}, and I agree.", "Let me add that {claim}.", "Since {claim}, we were {feel}.",
    "I keep coming back to one point: {claim}.", "{claim}, while {claim}.", "First of all, {claim}; second, {claim}.",
    "What struck me was that {claim}.", "{claim}, which was {noun}."};
static const char *const turn[] = {
    "Although {claim~}, {claim}.", "{claim~}, but {claim}.", "Even though {claim~}, {claim}.", "While {claim~}, {claim}.",
    "{claim~}. Still, {claim}.", "Despite the fact that {claim~}, {claim}.", "It is true that {claim~}, yet {claim}.",
    "Granted, {claim~}, but {claim}.", "Yes, {claim~}. That said, {claim}, which matters far more.",
    "I admit that {claim~}; none of it counts, because {claim}.", "{claim}, even if {claim~}.", "{claim}, so it hardly matters that {claim~}.",
    "{claim~}, though {claim}, and that decided it.", "Apart from the fact that {claim~}, everything was {adj}.",
    "Some will say that {claim~}. I say that {claim}.", "For a moment I thought it was {adj~}. It was {adj} in the end.",
    "{source} called it {noun~}, which is simply wrong: {claim}.", "{source} had told us it would be {adj~}; it was {adj}.",
    "We expected {noun~} and got {noun}.", "I cannot understand those who call it {adj~}, for {claim}.",
    "I thought I would be {feel~}, but I was {feel}.", "It was anything but {adj~}: {claim}.", "I had been warned that {claim~}. In truth {claim}.",
    "On the one hand {claim~}; on the other, {claim}."};
static const char *const aside[] = {
    "The weather was [mild|wet|windy|grey], but that is nobody's fault.", "{who} came along as well.", "We talked about it all the way home.",
    "I paid the full price, by the way.", "It took [an hour|a while|some time] to get there.", "There were [six|four|five|three] of us.",
    "I will keep this short.", "Opinions in our group were divided at first."};
static const char *const closing[] = {
    "All in all, {noun}.", "I would {tell}.", "{stars} from me.", "Overall I was {feel}.", "In the end it was {noun}.", "I went home {feel}.",
    "It was {better} than the last one.", "{again}.", "{again}, and {who} will tell you the same.", "So, {stars}.", "That is why I would {tell}.",
    "{who} would {tell}, and so would I.", "What remains is {noun}.", "We left {feel}, and {again}.", "Next to others it is {better}.",
    "My verdict is {adj}."};
static const char *const who[] = {
    "my sister", "an old friend", "my mother", "a colleague", "my neighbour", "my partner", "my brother", "my grandmother", "a cousin from abroad",
    "my flatmate", "the whole family", "my daughter", "a friend from work", "my uncle", "my old teacher", "my son"};
static const char *const when[] = {
    "last week", "on a rainy Tuesday", "in early March", "on a quiet Sunday", "just before the holidays", "in the middle of June", "on my birthday",
    "after a long day", "late on a Friday", "during the autumn break", "on a cold morning", "one evening in August", "two days ago"};
static const char *const source[] = {
    "a neighbour", "the paper", "a friend", "somebody at work", "an online forum", "a reviewer I trust", "half the internet", "a podcast"};
static const char *const noun[] = {
    "a delight/a letdown", "a real treat/a real chore", "a small triumph/a small disaster", "a joy/a bore", "a great success/a great failure",
    "money well spent/money badly spent", "a pleasant surprise/an unpleasant surprise", "a gem/a dud", "time well spent/time badly spent",
    "the best of its kind/the worst of its kind", "something to treasure/something to avoid", "a lovely thing/a dreary thing",
    "a quiet masterpiece/a complete mess", "the highlight of my month/the low of my month"};
static const char *const adj[] = {
    "excellent/terrible", "wonderful/dreadful", "superb/poor", "charming/tiresome", "first rate/second rate", "terrific/awful", "splendid/dismal",
    "impressive/disappointing", "marvellous/miserable", "outstanding/substandard", "lovely/horrible", "really good/really bad",
    "remarkably good/remarkably bad", "great fun/no fun"};
static const char *const feel[] = {
    "happy/unhappy", "delighted/annoyed", "thrilled/frustrated", "charmed/bored", "grateful/cheated", "impressed/disappointed", "cheerful/gloomy",
    "content/cross", "refreshed/exhausted"};
static const char *const better[] = {
    "better/worse", "far better/far worse", "much stronger/much weaker", "far nicer/far duller", "more enjoyable/less enjoyable"};
static const char *const tell[] = {
    "recommend it to anyone/advise anyone against it", "tell friends to try it/tell friends to skip it",
    "sing its praises all day/complain of it all day", "give it full marks/give it no marks", "defend it against anyone/warn anyone against it"};
static const char *const stars[] = {
    "five whole stars/one single star", "nine out of ten/two out of ten", "full marks/no marks", "top marks/bottom marks",
    "four stars of five/two stars of five"};
static const char *const again_general[] = {
    "I would choose it again/I would not choose it", "I will be back soon/I will not be back", "I want more of this/I want nothing of this"};
static const GlintPhrases common[] = {
    GLINT_PHRASES("Opening", opening), GLINT_PHRASES("Body", body), GLINT_PHRASES("Turn", turn), GLINT_PHRASES("Aside", aside),
    GLINT_PHRASES("Close", closing), GLINT_PHRASES("who", who), GLINT_PHRASES("when", when), GLINT_PHRASES("source", source),
    GLINT_PHRASES("noun", noun), GLINT_PHRASES("adj", adj), GLINT_PHRASES("feel", feel), GLINT_PHRASES("better", better),
    GLINT_PHRASES("tell", tell), GLINT_PHRASES("stars", stars), GLINT_PHRASES("again", again_general)};

static const char *const film_thing[] = {"the film", "the movie", "this film", "the whole picture"};
static const char *const film_context[] = {
    "we saw it at the old cinema {when}", "I watched it with {who} {when}", "{who} chose the film this time", "we had tickets for the late showing",
    "it is the director's third film", "it runs for just over two hours", "I streamed it at home {when}"};
static const char *const film_claim[] = {
    "the acting was superb/the acting was wooden", "the plot was gripping/the plot was dull", "the dialogue was sharp/the dialogue was flat",
    "the ending was well earned/the ending was badly rushed", "the music was haunting/the music was grating",
    "the jokes were fresh/the jokes were stale", "the camera work was gorgeous/the camera work was ugly",
    "nobody looked away once/nobody stayed awake long", "the scenes moved me to tears/the scenes bored me to tears",
    "the leads were full of life/the leads were quite without life", "the script was clever/the script was silly",
    "the cast clearly cared/the cast clearly slept"};
static const GlintPhrases film[] = {GLINT_PHRASES("thing", film_thing), GLINT_PHRASES("context", film_context), GLINT_PHRASES("claim", film_claim)};

static const char *const food_thing[] = {"the restaurant", "the place", "this restaurant", "our dinner there"};
static const char *const food_context[] = {
    "we booked a table for four {when}", "{who} took me there {when}", "it sits on the corner by the station",
    "we ordered three courses and some wine", "I had lunch there {when}", "the menu changes every month", "it opened in the spring"};
static const char *const food_claim[] = {
    "the food was delicious/the food was tasteless", "the service was attentive/the service was careless",
    "the waiters were charming/the waiters were surly", "the room was cosy/the room was cramped", "the prices were fair/the prices were outrageous",
    "the dessert was heavenly/the dessert was sickly", "the bread was warm/the bread was stale",
    "the soup was rich and hot/the soup was thin and cold", "they found us a table/they lost us our table", "the fish was fresh/the fish was off",
    "we were served at once/we were ignored for hours", "the kitchen smelled wonderful/the kitchen smelled foul"};
static const GlintPhrases food[] = {GLINT_PHRASES("thing", food_thing), GLINT_PHRASES("context", food_context), GLINT_PHRASES("claim", food_claim)};

static const char *const hotel_thing[] = {"the hotel", "our stay", "this hotel", "the whole stay"};
static const char *const hotel_context[] = {
    "we stayed for three nights {when}", "I was there for a conference {when}", "{who} found the offer online", "we had a double room",
    "it is ten minutes from the beach", "we arrived after midnight", "the building is an old post office"};
static const char *const hotel_claim[] = {
    "the room was spotless/the room was filthy", "the bed was soft/the bed was lumpy", "the staff were helpful/the staff were useless",
    "the breakfast was generous/the breakfast was meagre", "the bathroom was gleaming/the bathroom was mouldy",
    "the view was breathtaking/the view was depressing", "the pool was clean and warm/the pool was dirty and cold",
    "the nights were quiet/the nights were noisy", "the porter was kind/the porter was rude", "the lift ran smoothly/the lift broke daily",
    "the carpets looked new/the carpets looked rotten", "I slept very well/I hardly slept once"};
static const GlintPhrases hotel[] = {
    GLINT_PHRASES("thing", hotel_thing), GLINT_PHRASES("context", hotel_context), GLINT_PHRASES("claim", hotel_claim)};

static const char *const book_thing[] = {"the book", "this novel", "the novel", "her latest book"};
static const char *const book_context[] = {
    "{who} gave it to me {when}", "I read it on the train {when}", "we chose it for the reading circle", "it has just over four hundred pages",
    "I borrowed it from the library", "it is set in a harbour town", "it is the second of a series"};
static const char *const book_claim[] = {
    "the prose was elegant/the prose was clumsy", "the characters were vivid/the characters were lifeless",
    "the story was gripping/the story was tedious", "the first chapter was brilliant/the first chapter was baffling",
    "the pace was just right/the pace was all wrong", "the research was careful/the research was sloppy",
    "the last page was unforgettable/the last page was forgettable", "I finished it in one night/I dropped it after one night",
    "the humour was warm/the humour was cruel", "every scene rang true/every scene rang false", "the mystery held me/the mystery bored me",
    "the printing was beautiful/the printing was shoddy"};
static const GlintPhrases book[] = {GLINT_PHRASES("thing", book_thing), GLINT_PHRASES("context", book_context), GLINT_PHRASES("claim", book_claim)};

static const char *const phone_thing[] = {"the phone", "this phone", "the handset", "my new phone"};
static const char *const phone_context[] = {
    "I bought it online {when}", "it replaced a phone of five years", "{who} has the same model", "I have used it daily for a month",
    "it came in a plain white box", "I ordered the larger model {when}", "my old one fell into a lake"};
static const char *const phone_claim[] = {
    "the battery was excellent/the battery was hopeless", "the screen was crisp/the screen was blurry",
    "the camera was stunning/the camera was awful", "the sound was clear/the sound was muffled", "the software was quick/the software was sluggish",
    "the support line was helpful/the support line was useless", "the case was solid/the case was flimsy",
    "it charged in minutes/it charged for hours", "it survived a fall/it broke when touched",
    "the photos came out sharp/the photos came out blurred", "calls never dropped/calls always dropped",
    "the keyboard was pleasant/the keyboard was maddening"};
static const GlintPhrases phone[] = {
    GLINT_PHRASES("thing", phone_thing), GLINT_PHRASES("context", phone_context), GLINT_PHRASES("claim", phone_claim)};

static const char *const trip_thing[] = {"the tour", "the trip", "this excursion", "our day out"};
static const char *const trip_context[] = {
    "we booked it with {who} {when}", "it takes a whole day by bus", "{who} gave us the tickets", "we were a group of twelve",
    "it starts at the old harbour", "we went there {when}", "it had been put off twice"};
static const char *const trip_claim[] = {
    "the guide was knowledgeable/the guide was clueless", "the bus was comfortable/the bus was uncomfortable",
    "the lunch was tasty/the lunch was inedible", "the stops were well chosen/the stops were badly chosen",
    "the driver was careful/the driver was reckless", "the views were glorious/the views were spoiled",
    "everything ran on time/everything ran hours late", "the group was friendly/the group was hostile",
    "the walk was a pleasure/the walk was an ordeal", "the museum was fascinating/the museum was dusty",
    "we saw all we hoped/we saw nothing we hoped", "the price was a bargain/the price was an outrage"};
static const GlintPhrases trip[] = {GLINT_PHRASES("thing", trip_thing), GLINT_PHRASES("context", trip_context), GLINT_PHRASES("claim", trip_claim)};

static const GlintSubject subjects[] = {
    GLINT_PHRASES("film", film), GLINT_PHRASES("restaurant", food), GLINT_PHRASES("hotel", hotel), GLINT_PHRASES("book", book),
    GLINT_PHRASES("phone", phone), GLINT_PHRASES("trip", trip)};

const GlintRecipe glint_recipe_sentiment = {
    .name = "sentiment",
    .summary = "reviews that praise or damn the same thing",
    .labels = {"positive", "negative"},
    .concepts = {"a review whose author likes the thing reviewed", "a review whose author dislikes the thing reviewed"},
    .plans = plans, .n_plans = G_N_ELEMENTS(plans),
    .subjects = subjects, .n_subjects = G_N_ELEMENTS(subjects),
    .phrases = common, .n_phrases = G_N_ELEMENTS(common),
};
