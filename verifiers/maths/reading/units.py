"""Units and counted things beside a number, and words that scale it: a unit is what these lists say it is.

Whatever else stands beside a number is part of the answer: "2 thirds" and "5 or more" are no 2 and no 5.
"""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Final

UNIT_NAMES: Final = {
    name: unit
    for unit, names in {
        "metre": "m meter meters metre metres", "centimetre": "cm centimeter centimeters centimetre centimetres",
        "millimetre": "mm millimeter millimeters millimetre millimetres", "decimetre": "dm decimeter decimeters",
        "kilometre": "km kms kilometer kilometers kilometre kilometres", "micrometre": "micrometer micrometers",
        "nanometre": "nm nanometer nanometers", "inch": "in inch inches", "foot": "ft foot feet",
        "yard": "yd yds yard yards", "mile": "mi mile miles", "acre": "acre acres", "hectare": "ha hectare hectares",
        "gram": "g gm gram grams", "kilogram": "kg kgs kilos kilogram kilograms",
        "milligram": "mg milligram milligrams",
        "tonne": "tonne tonnes", "ton": "ton tons", "pound": "lb lbs pound pounds", "ounce": "oz ounce ounces",
        "stone": "stone stones", "second": "s sec secs second seconds", "millisecond": "ms millisecond milliseconds",
        "minute": "min mins minute minutes", "hour": "h hr hrs hour hours", "day": "day days", "week": "week weeks",
        "month": "month months", "year": "yr yrs year years", "decade": "decade decades",
        "century": "century centuries",
        "litre": "l liter liters litre litres", "millilitre": "ml milliliter milliliters millilitre millilitres",
        "gallon": "gal gallon gallons", "quart": "qt quart quarts", "pint": "pt pint pints", "cup": "cup cups",
        "tablespoon": "tbsp tablespoon tablespoons", "teaspoon": "tsp teaspoon teaspoons", "barrel": "barrel barrels",
        "dollar": "dollar dollars usd buck bucks", "cent": "cent cents", "euro": "euro euros eur", "yen": "yen",
        "yuan": "yuan rmb", "rupee": "rupee rupees rs inr", "penny": "penny pennies pence", "dime": "dime dimes",
        "nickel": "nickel nickels", "peso": "peso pesos",
        "degree": "degree degrees deg", "radian": "rad radian radians", "celsius": "celsius",
        "fahrenheit": "fahrenheit",
        "kelvin": "kelvin kelvins k", "am": "am a.m", "pm": "pm p.m", "mile per hour": "mph",
        "kilometre per hour": "kph kmh", "percent": "percent percentage pct", "newton": "n newton newtons",
        "joule": "j joule joules",
        "kilojoule": "kj kilojoule kilojoules", "watt": "w watt watts", "kilowatt": "kw kilowatt kilowatts",
        "volt": "v volt volts", "ampere": "amp amps ampere amperes", "ohm": "ohm ohms", "hertz": "hz hertz",
        "pascal": "pa pascal pascals", "kilopascal": "kpa", "atmosphere": "atm atmosphere atmospheres",
        "mole": "mol mole moles", "calorie": "cal calorie calories", "bit": "bit bits", "byte": "byte bytes",
        "kilobyte": "kb kilobyte kilobytes", "megabyte": "mb megabyte megabytes", "gigabyte": "gb gigabyte gigabytes",
        "unit": "unit units",
    }.items()
    for name in names.split()
}  # fmt: skip
_TEMPERATURES: Final = {"celsius": "celsius", "c": "celsius", "fahrenheit": "fahrenheit", "f": "fahrenheit"}
# Units as signs and words of Chinese and Japanese.
_CJK_UNITS: Final = {
    "米": "metre", "厘米": "centimetre", "毫米": "millimetre", "千米": "kilometre", "公里": "kilometre",
    "元": "yuan",
    "克": "gram", "千克": "kilogram", "公斤": "kilogram", "吨": "tonne", "秒": "second",
    "分钟": "minute", "小时": "hour",
    "天": "day", "年": "year", "升": "litre", "毫升": "millilitre", "度": "degree", "平方米": "metre^2",
    "平方厘米": "centimetre^2", "立方米": "metre^3", "立方厘米": "centimetre^3", "円": "yen", "本": "本", "冊": "冊",
    "个": "个", "只": "只", "名": "名", "位": "位", "张": "张", "种": "种", "次": "次", "棵": "棵", "条": "条",
    "件": "件",
    "本书": "本书", "人": "人", "個": "个", "箱": "箱", "页": "页", "岁": "岁", "块": "块",
}  # fmt: skip
# What word problems count. Left out on purpose: what multiplies or divides (dozens, pairs, halves, quarters, squares,
_COUNTED_TEXT: Final = """
account acorn actor adult airplane album alligator animal answer ant apartment app apple appetizer apron aquarium
arm arrangement arrow artwork assignment asymptote athlete attendee avocado baby back bacteria badge bag baguette
ball balloon banana band bar base baseball basket basketball bat batch bathroom battery bead beaker bean bear bed
bedroom bee beetle bell berry bicycle bike bill biscuit bite block blossom blouse blueberry board boat bolt bone
book bookmark boot bottle bouquet bowl box boy bracelet branch brick bridge brother brownie bucket bug building bulb
bunch bundle bus bush business butterfly button buyer cabinet cake calculator calf call camel camera camper can
candidate candle candy car card cardinal carnation carpet carriage carrot carton cartoon case cashew cat caterpillar
cell chair champion channel chapter character cherry chicken child chip chipmunk chocolate chore circle city class
classmate classroom cloud clown coach coat coconut coffee coin color colour column combination comic computer cone
container contestant cookie copy corner costume country couple course cousin cow coworker crab cracker crate crayon
cricket crossing crow cucumber cupcake customer cycle daughter dancer deer dentist desk dessert device diagonal
diamond digit dinner dinosaur dish divisor doctor dog doll dolphin donkey donut door dot doughnut dragon drawer
drawing dress driver drop drum duck duckling ear earring edge egg element elephant email employee engine engineer
episode equation error event exam exercise eye face factor fairy family fan farmer father feather fence field figure
file film finger fish flag flavor flea flight floor flower fly flyer follower folder footballer fork fraction frame
frog fruit function game garden gate gift giraffe girl glass glove goal goat goose grade graph grape grapefruit
group guest guitar gumball guppy hall hamburger hammer hamster hand handshake hat head heart helmet hen hero hole
home horse hotdog house hurdle ice insect integer invitation island item jacket jar jelly jellybean jersey job judge
juror kangaroo kernel key kid king kitten kite knife knight lamp lap laptop lawn leaf leg lemon lemonade lesson
letter level library life light line link lion list lizard loaf lock log lollipop lunch machine magazine magnet man
mango marble mark marker mask match mat meal medal member men message mint mirror mistake model monkey monster month
motorcycle mountain mouse multiple mouth movie muffin mug mushroom musician nail name napkin necklace neighbor
neighbour newspaper night nose note notebook novel number nurse nut object octopus office onion orange order
ornament outcome outfit owl package packet page painting panda pancake panel paper parent park parrot part
participant partition partner party passenger patch path patient peach peanut pear pebble pen pencil penguin people
pepper perch performer permutation person pet phone photo photograph piano picture pie piece pig pigeon pill pillow
pilot pin pineapple pizza place plan plane planet plank plant plate player plum poem point pole pool popsicle
position post postcard poster pot potato present president prime prize problem professor program project puppy
puzzle pumpkin pupil question quiz rabbit raccoon race rat rectangle region report result ribbon ride ring river
road robot rock roll roof room root rope rose round route row rug ruler runner sack sailor salad salmon sandwich
school scientist scoop seal seashell season seat section seed segment senior sequence serving session sheep sheet
shelf shell ship shirt shoe shop shot show shrub sibling sidewalk sister skater skirt slice slot snack snail snake
sock soda sofa soldier solution son song soup space spider sponge spoon spot squirrel stall stamp star state statue
step stick sticker stitch stop store story stove straw strawberry street string stripe student stuff subset suit
suitcase surfer swan sweater sweet swimmer sword table tablet tail tail talent tank tape task taxi teacher team tent
term test text textbook thing ticket tie tiger tile toad toddler toe tomato tool tooth top topping tourist towel
tower town toy track tractor train trainer traveler tray treat tree triangle triple trip trophy truck trumpet tube
tulip tuple turkey turn turtle uncle value van vase vegetable vehicle vertex video villager violin visitor vote
voter walnut wallet watch watermelon way weed whale wheel window wing winner wire wizard wolf woman women word
worker worm zebra zero zoo
"""
# cubes, times), and what compares (more, less, remaining).
_COUNTED: Final = _COUNTED_TEXT.split()  # fmt: skip
_IRREGULAR: Final = {
    "children": "child", "men": "man", "women": "woman", "people": "person", "mice": "mouse", "geese": "goose",
    "leaves": "leaf", "loaves": "loaf", "knives": "knife", "lives": "life", "wolves": "wolf", "calves": "calf",
    "shelves": "shelf", "teeth": "tooth", "vertices": "vertex", "heroes": "hero", "potatoes": "potato", "dice": "die",
    "tomatoes": "tomato", "mangoes": "mango", "zeroes": "zero", "buses": "bus", "businesses": "business",
    "quizzes": "quiz", "matrices": "matrix", "axes": "axis", "indices": "index", "primes": "prime", "halves": "",
}  # fmt: skip
_LETTERS: Final = frozenset("mgshlLNJWVKA")  # that are units when they stand alone; k is a thousand, and x a letter
_THINGS: Final = frozenset(_COUNTED)
_KINDS: Final = frozenset(["real", "complex", "rational", "distinct", "different", "possible", "unique", "whole"])
_SQUARED: Final = frozenset(["square", "sq", "squares"])
_CUBIC: Final = frozenset(["cubic", "cu"])
_POWER: Final = re.compile(r"\^?\{?([23])\}?$")
_CHANGES_TEXT: Final = """
about above after all almost and approximately around as at before below between both but by cubed cubes degree
dozens double doubled each eighths either else equal every except exactly excluding factorial fewer fifth fifths
first for fourth fourths from half halves hundreds if in incorrect infinite infinity inverse is last least less log
maximum maybe mean millions minimum minus mod modulo more most multiplied nearly negative neither ninths no nor not
of off only opposite or other over pair pairs pi plus positive power quarter quarters quintuple ratio reciprocal
remainder remaining root score second seconds sevenths sixths some square squared squares sum tenth tenths than the
then third thirds thousands thousandths through tens times to total triple twice under undefined unless until up
upon when where without wrong
"""
# Never a counted thing, though the problem speaks of it: these change the value or say something about it.
_CHANGES: Final = frozenset(
    _CHANGES_TEXT.split()
)  # fmt: skip

SCALES: Final = {
    "hundred": 100, "thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12, "dozen": 12,
    "lakh": 10**5, "crore": 10**7, "百": 100, "千": 10**3, "万": 10**4, "萬": 10**4, "亿": 10**8, "億": 10**8,
}  # fmt: skip

_SMALL: Final = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
]
_TENS: Final = "twenty thirty forty fifty sixty seventy eighty ninety".split()  # noqa: SIM905 - as the others
_NUMBERS: Final = {
    **{word: value for value, word in enumerate(_SMALL)},
    **{word: 10 * value for value, word in enumerate(_TENS, 2)},
}


def unit_of(words: str, power: str | None = None, told: frozenset[str] = frozenset()) -> str | None:
    """Return one name for a unit however it is spelt, or None where the words are no unit.

    Args:
        words: as in ``cm``, ``square inches``, ``miles per hour``, ``km/h``, ``red apples``.
        power: that stands outside of the words.
        told: words of the problem; what they name is counted.
    """
    text = words.replace("²", "^2").replace("³", "^3").strip(" .")
    if len(text) == 1 and text.isascii() and text not in _LETTERS:
        return None
    text = text.lower()
    if text in _CJK_UNITS:
        return _CJK_UNITS[text] + (f"^{power}" if power else "")
    numerator, *denominators = (part.strip(" .") for part in re.split(r"\s*/\s*|\s+per\s+|\s+an?\s+", text))
    names = [_one_unit(numerator, power if not denominators else None, told)]
    names += [
        _one_unit(part, power if place == len(denominators) - 1 else None, told)
        for place, part in enumerate(denominators)
    ]
    return None if None in names or not names[0] else " per ".join(name or "" for name in names)


def _one_unit(text: str, power: str | None, told: frozenset[str]) -> str | None:
    words = text.split()
    if words and words[0] in _SQUARED | _CUBIC and len(words) > 1:
        power = "2" if words[0] in _SQUARED else "3"
        words = words[1:]
    elif len(words) > 1 and words[-1] in {"squared", "cubed"} and words[0] in UNIT_NAMES:
        power = "2" if words[-1] == "squared" else "3"
        words = words[:-1]
    if not words:
        return None
    if len(words) == 2 and words[0] in {"degree", "degrees"} and words[1] in _TEMPERATURES:
        return _TEMPERATURES[words[1]]
    if len(words) == 1:
        inner = _POWER.search(words[0])
        if inner:
            power, words = inner.group(1), [words[0][: inner.start()]]
    name = UNIT_NAMES.get(words[0].rstrip(".")) if len(words) == 1 else None
    name = name or _counted(words, told)
    return f"{name}^{power}" if name and power else name


def _counted(words: list[str], told: frozenset[str]) -> str | None:
    """Return what is counted: a noun of the list, or words that the problem has, the last of them in the singular."""
    if not all(re.fullmatch(r"[a-z][a-z'-]*", word) for word in words) or _CHANGES & set(words) or len(words) > 3:
        return None
    noun = _singular(words[-1])
    is_known = noun in _THINGS or words[-1] in _THINGS or words[-1] in told
    if not is_known or not all(word in told | _KINDS or _singular(word) in _THINGS for word in words[:-1]):
        return None
    return noun


def _singular(word: str) -> str:
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    if word.endswith("ies") and len(word) > len("pies"):
        return word[:-3] + "y"
    if word.endswith(("ches", "shes", "xes", "sses", "oes")):
        return word[:-2]
    return word.removesuffix("s") if not word.endswith("ss") else word


def is_change(word: str) -> bool:
    """Tell whether a word changes or doubts the number that it stands beside."""
    return word.lower() in _CHANGES or word.lower() in SCALES


def may_be_number(words: str) -> bool:
    """Tell whether words may say a number, or be part of what says one: three, half a dozen, infinity."""
    parts = words.lower().replace("-", " ").split()
    return any(word in _NUMBERS or is_change(word) or word.removesuffix("s") in SCALES for word in parts)


def number_in_words(text: str) -> Fraction | None:
    """The whole number that words say, as in twenty-five or three hundred and two; None if it is anything else."""
    words = text.lower().replace("-", " ").split()
    if not words or words[0] == "and" or words[-1] == "and":
        return None
    total, current = 0, None
    for word in words:
        if word in _NUMBERS:
            value = _NUMBERS[word]
            if current is not None and (value == 0 or current % (100 if value >= 10 else 10) or current == 0):
                return None
            if current is not None and value < 10 and current % 100 == 10:
                return None
            current = (current or 0) + value
        elif word in SCALES and word.isascii():
            if current is None and word != words[0]:
                return None
            scale = SCALES[word]
            if scale == 100:
                current = (1 if current is None else current) * 100
            else:
                total, current = total + (1 if current is None else current) * scale, None
        elif word != "and" and not (word == "a" and len(words) > 1 and word is words[0]):
            return None
    return Fraction(total + (current or 0))
