"""IFBench's constraints by their names, with the arguments that its rows give."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from verifiers.instructions.ifbench import counts, forms, sequences, tasks, words
from verifiers.instructions.kinds import Constraint

if TYPE_CHECKING:
    from collections.abc import Mapping

# What no rule here decides: a dictionary of syllables would have to be there, and the set's list of capitals leaves
# out Kyiv.
NOT_COVERED: Final = ("words:odd_even_syllables", "custom:european_capitals_sort")


def _is_range(arguments: Mapping[str, Any]) -> bool:
    return bool(arguments["min_words"] <= arguments["max_words"])


def _is_span(arguments: Mapping[str, Any]) -> bool:
    return bool(arguments["n_start"] <= arguments["n_end"] < len(arguments["prompt_to_repeat"]))


def _counts_from_one(arguments: Mapping[str, Any]) -> bool:
    return all(number >= 1 for number in arguments.values() if isinstance(number, int))


IFBENCH: Final[Mapping[str, Constraint]] = {
    "count:word_count_range": Constraint(
        counts.word_count_range, {"min_words": int, "max_words": int}, possible=_is_range
    ),
    "count:unique_word_count": Constraint(counts.unique_word_count, {"N": int}),
    "count:conjunctions": Constraint(counts.conjunctions, {"small_n": int}),
    "count:person_names": Constraint(counts.person_names, {"N": int}),
    "count:numbers": Constraint(counts.numbers, {"N": int}),
    "count:pronouns": Constraint(counts.pronouns, {"N": int}),
    "count:punctuation": Constraint(counts.punctuation),
    "count:keywords_multiple": Constraint(counts.keywords_multiple, {f"keyword{n}": str for n in range(1, 6)}),
    "count:words_japanese": Constraint(words.japanese, {"N": int}, possible=_counts_from_one),
    "ratio:stop_words": Constraint(counts.stop_words, {"percentage": int}),
    "ratio:sentence_type": Constraint(counts.sentence_type),
    "ratio:sentence_balance": Constraint(counts.sentence_balance),
    "ratio:sentence_words": Constraint(sequences.sentence_words),
    "ratio:overlap": Constraint(counts.overlap, {"reference_text": str, "percentage": int}),
    "words:alphabet": Constraint(words.alphabet),
    "words:vowel": Constraint(words.vowel),
    "words:consonants": Constraint(words.consonants),
    "words:palindrome": Constraint(words.palindrome),
    "words:prime_lengths": Constraint(words.prime_lengths),
    "words:start_verb": Constraint(words.start_verb),
    "words:repeats": Constraint(words.repeats, {"small_n": int}, possible=_counts_from_one),
    "words:last_first": Constraint(sequences.last_first),
    "words:paragraph_last_first": Constraint(words.paragraph_last_first),
    "words:no_consecutive": Constraint(words.no_consecutive),
    "words:keywords_specific_position": Constraint(
        words.keywords_specific_position, {"keyword": str, "n": int, "m": int}, possible=_counts_from_one
    ),
    "words:words_position": Constraint(words.words_position, {"keyword": str}),
    "sentence:keyword": Constraint(sequences.keyword_in, {"word": str, "N": int}, possible=_counts_from_one),
    "sentence:increment": Constraint(sequences.increment, {"small_n": int}),
    "sentence:alliteration_increment": Constraint(sequences.alliteration_increment),
    "format:parentheses": Constraint(forms.parentheses),
    "format:quotes": Constraint(forms.quotes),
    "format:options": Constraint(forms.options, {"options": str}),
    "format:newline": Constraint(forms.newline),
    "format:emoji": Constraint(sequences.emoji),
    "format:line_indent": Constraint(forms.line_indent),
    "format:quote_unquote": Constraint(forms.quote_unquote),
    "format:list": Constraint(forms.special_list, {"sep": str}),
    "format:thesis": Constraint(forms.thesis),
    "format:sub-bullets": Constraint(forms.sub_bullets),
    "format:no_bullets_bullets": Constraint(forms.some_bullets),
    "format:title_case": Constraint(forms.title_case),
    "format:output_template": Constraint(forms.output_template),
    "format:no_whitespace": Constraint(forms.no_whitespace),
    "custom:multiples": Constraint(tasks.multiples),
    "custom:mcq_count_length": Constraint(tasks.mcq_count_length),
    "custom:reverse_newline": Constraint(tasks.reverse_newline),
    "custom:word_reverse": Constraint(tasks.word_reverse),
    "custom:character_reverse": Constraint(tasks.character_reverse),
    "custom:sentence_alphabet": Constraint(sequences.sentence_alphabet),
    "custom:csv_city": Constraint(tasks.csv_city),
    "custom:csv_special_character": Constraint(tasks.csv_special_character),
    "custom:csv_quotes": Constraint(tasks.csv_quotes),
    "custom:date_format_list": Constraint(tasks.date_format_list),
    "repeat:repeat_change": Constraint(tasks.repeat_change, {"prompt_to_repeat": str}),
    "repeat:repeat_simple": Constraint(tasks.repeat_simple),
    "repeat:repeat_span": Constraint(
        tasks.repeat_span, {"prompt_to_repeat": str, "n_start": int, "n_end": int}, possible=_is_span
    ),
}
