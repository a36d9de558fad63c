#pragma once
// Names, numbers and strings of the text form, for its writer and its reader.

#include <optional>
#include <string>
#include <string_view>

#include "esper/program/constant.h"

namespace esper::graph {

/// Whether `c` can be part of a word: a letter, a digit or one of `_ . - / +`.
bool is_word_character(char c);

/// Whether `name` needs no backquotes: it is a word, and neither a number nor a keyword (`none`,
/// `true`, `f32`, …).
bool is_plain_name(std::string_view name);

/// Appends the name, in backquotes with escapes if it needs them.
void append_name(std::string& out, std::string_view name);

/// Appends the dotted path after `@`, in backquotes unless it is a word.
void append_scope(std::string& out, std::string_view scope);

/// Appends the text in `quote`s, with `\\`, `\n`, `\t`, the escaped quote, and `\xNN` for other
/// bytes outside printable ASCII.
void append_quoted(std::string& out, std::string_view text, char quote);

/// Appends the shortest digits that read back as the same bits. With `as_constant` the text always
/// reads as a double (`1.0`, not `1`).
void append_double(std::string& out, double value, bool as_constant);

/// The double that a word spells (`0.1`, `1e-05`, `-inf`, `nan`), also without a point.
std::optional<double> double_from_word(std::string_view word);
std::optional<std::int64_t> integer_from_word(std::string_view word);

std::string_view memory_format_name(MemoryFormat format);
std::optional<MemoryFormat> memory_format_from_name(std::string_view name);

void append_constant(std::string& out, const Constant& constant);

}  // namespace esper::graph
