"""The words of the demo's problems: names, things, places, and the sentences they stand in.

Every sentence is formatted on its own. `{n}` is the one number in it; sentences of two numbers call them `{a}` and
`{b}`. The other slots come from `problems.py`, drawn anew for each problem, so that two stories of the same sentences
still share few five-word runs.
"""

from __future__ import annotations


def _words(line: str) -> tuple[str, ...]:
    return tuple(line.split())


NAMES = _words(
    "Mia Omar Lena Tomas Priya Jun Sofia Kofi Elif Ravi Nora Diego Hana Felix Zuri Ivan Clara Malik Ines Otto Yuki"
    " Pablo Greta Amir Luz Bruno Leila Viktor Anika Samuel Rosa Emeka Freya Hugo Mei Tariq Olga Dario Signe Noor"
)
ADJECTIVES = _words("red wooden silver tiny striped old shiny paper round blue handmade glass heavy green painted rare")
NOUNS = _words(
    "shells marbles stamps buttons candles lanterns postcards beads acorns tiles coins ribbons kites pencils badges "
    "figurines spoons bottles puzzles seeds tulips cushions magnets whistles bells tickets bricks plates mugs scarves "
    "cards apples lemons walnuts muffins notebooks posters stickers pebbles brushes"
)
PLACES = _words(
    "attic workshop library garden harbour kitchen museum bakery barn classroom studio market cellar theatre clinic "
    "greenhouse lighthouse depot office stadium gallery cabin orchard station"
)
TOWNS = _words("Oslo Lima Porto Cairo Quito Riga Hanoi Tampa Lyon Accra Perth Kyoto Turin Bergen Dakar Galway")
DAYS = _words("Monday Tuesday Wednesday Thursday Friday Saturday Sunday")
EVENTS = _words("fair wedding festival contest parade picnic concert auction reunion exhibition play tournament")
WEATHERS = _words("rainy windy sunny cold foggy quiet busy warm")
CONTAINERS = _words("boxes bags crates trays baskets packets jars sacks drawers shelves")

ASIDES = (
    "It is a {weather} {day}.",
    "{friend} is visiting from {town}.",
    "Everybody in {town} is looking forward to the {event}.",
    "The {place2} next door is closed because of the {event}.",
    "{friend} has promised to help until {day}.",
    "{name} once lived in {town}.",
)

START = (
    "{name} has {n} {items} in the {place}.",
    "There are {n} {items} in the {place} that {name} looks after.",
    "On {day} {name} counts {n} {items} at the {place}.",
    "The {place} holds {n} {items}, and all of them belong to {name}.",
    "{name} starts the week with {n} {items} from {town}.",
    "For the {event}, {name} has set aside {n} {items}.",
)
GAIN = (
    "{friend} brings {n} more.",
    "Later {friend} adds {n} {noun} to them.",
    "A parcel from {town} with another {n} {noun} arrives on {day2}.",
    "Then {friend} finds {n} more in the {place2}.",
    "After the {event} {name} receives {n} extra {noun} from {friend}.",
    "On {day2} {name} buys {n} more at the {place2}.",
)
LOSS = (
    "{name} gives {n} of them to {friend}.",
    "{friend} borrows {n} of the {noun} for the {event}.",
    "On {day2} {n} of them are sold at the {event}.",
    "By {day2} {n} of them have been sent to {town}.",
    "Sadly {n} of the {noun} are lost on the way to the {place2}.",
    "{friend} takes {n} of them away to the {place2}.",
)
ASK_NOW = (
    "How many {noun} are there now?",
    "How many {noun} does {name} have after that?",
    "Find the number of {noun} that {name} ends up with.",
    "What is the number of {noun} at the end?",
    "How many {noun} does this leave {name} with?",
)

ADD_AT_ONCE = (
    "How many {items} are in the {place} after {friend} puts {b} beside the {a} that {name} left there?",
    "{name} collects {a} {items} in {town} and {friend} collects {b}. How many {noun} do they have together?",
    "If {friend} carries {b} {items} to the {place}, where {name} already keeps {a}, how many are there in all?",
    "In the {place} {a} {items} were counted on {day} and {b} on {day2}. What is the total for both days?",
    "{name} sold {b} {items} more than {friend} at the {event}. {friend} sold {a}. How many did {name} sell?",
)
SUBTRACT_AT_ONCE = (
    "How many of the {a} {items} in the {place} remain once {friend} has carried {b} of them to {town}?",
    "{friend} takes {b} {items} out of the {a} stored in the {place}. How many stay behind for {name}?",
    "{name} has {a} {items} and {friend} has {b}. How many more {noun} does {name} have?",
    "{friend} owns {b} {items}, while {name} owns {a}. By how many does {name} lead?",
    "For the {event} {name} needs {a} {items}. So far {b} are ready in the {place}. How many are missing?",
)
MULTIPLY = (
    "{name} packs {a} {boxes} for the {event}, each with {b} {items}.",
    "Each of the {a} {boxes} in the {place} holds {b} {items}.",
    "{name} orders {a} {boxes} of {items} from {town}, and there are {b} {noun} in every one.",
    "There are {b} {items} in each of the {a} {boxes} that {name} keeps in the {place}.",
    "On {day} {name} buys {a} {boxes} of {b} {items}.",
)
ASK_PRODUCT = (
    "How many {noun} is that altogether?",
    "Find the total number of {noun}.",
    "How many {noun} are there in all?",
    "What number of {noun} does {name} count?",
)

BARE_ADD = (
    "Calculate {a} + {b} and give the result as a whole number.",
    "What is the sum of {a} and {b}?",
    "Compute the value of ${a} + {b}$.",
    "Add {b} to {a} and state the result.",
    "If $x = {a}$ and $y = {b}$, what is $x + y$?",
    "In the {place} {name} writes {a} + {b} on the board. What is its value?",
    "{name} asks {friend} on {day}: how much is {a} plus {b}?",
)
BARE_SUBTRACT = (
    "Calculate {a} - {b} and give the result as a whole number.",
    "What is the difference of {a} and {b}?",
    "Compute the value of ${a} - {b}$.",
    "Subtract {b} from {a} and state the result.",
    "If $x = {a}$ and $y = {b}$, what is $x - y$?",
    "In the {place} {name} writes {a} - {b} on the board. What is its value?",
    "{name} asks {friend} on {day}: how much is {a} minus {b}?",
    "By how much does {a} exceed {b}?",
)
BARE_MULTIPLY = (
    "Calculate {a} * {b} and give the result as a whole number.",
    "What is the product of {a} and {b}?",
    "Compute the value of ${a} \\times {b}$.",
    "Evaluate the product ${a} \\cdot {b}$.",
    "Multiply {a} by {b} and state the result.",
    "If $x = {a}$ and $y = {b}$, what is $x \\cdot y$?",
    "In the {place} {name} writes {a} * {b} on the board. What is its value?",
    "{name} asks {friend} on {day}: how much is {a} times {b}?",
)

THINK_ADD = ("We need the total.", "The two amounts go together.", "This asks for a sum.", "Put both parts together.")
THINK_SUBTRACT = ("We need what is left.", "This asks for a difference.", "Take one from the other.", "Some go away.")
THINK_MULTIPLY = (
    "We need a product.",
    "Equal groups, so multiply.",
    "The same amount several times.",
    "Count by groups.",
)
THINK_TWO_STEPS = ("There are two steps.", "First one step, then another.", "Let me go in order.", "Two things happen.")

SOLVED_BARE = (
    "The result is \\boxed{{{answer}}}.",
    "Working column by column gives \\boxed{{{answer}}}.",
    "The value is {answer}. So the answer is \\boxed{{{answer}}}.",
    "Doing it step by step, we get \\boxed{{{answer}}}.",
)
SOLVED_STORY = (
    "The number of {noun} is \\boxed{{{answer}}}.",
    "That makes {answer} {noun}. The answer is \\boxed{{{answer}}}.",
    "For {name} the count of {noun} comes to \\boxed{{{answer}}}.",
    "In the end there are {answer} {noun}, so the answer is \\boxed{{{answer}}}.",
)
