#pragma once
// How single names, numbers and strings are spelled in the text form; shared by writer and reader.

#include <optional>
#include <string>
#include <string_view>

#include "esper/program/constant.h"

namespace esper::graph {

/// Letters, digits and `_ . - / +`: what a word of the text form consists of.
bool is_word_character(char c);

/// True when `name` can stand in the text as it is: a word that is neither a number nor a word
/// with a meaning of its own (`none`, `true`, `f32`, …). Others are put into backquotes.
bool is_plain_name(std::string_view name);

/// The name as it is, or in backquotes with escapes.
void append_name(std::string& out, std::string_view name);

/// The dotted path behind `@`: any word stands as it is there.
void append_scope(std::string& out, std::string_view scope);

/// In `quote`s, with `\\`, `\n`, `\t`, the escaped quote, and `\xNN` for other bytes outside
/// printable ASCII.
void append_quoted(std::string& out, std::string_view text, char quote);

/// The shortest digits that read back as the same bits. With `as_constant`, always recognisable
/// as a double (`1.0`, not `1`).
void append_double(std::string& out, double value, bool as_constant);

/// The double a word spells (`0.1`, `1e-05`, `-inf`, `nan`), also without a point.
std::optional<double> double_from_word(std::string_view word);
std::optional<std::int64_t> integer_from_word(std::string_view word);

std::string_view memory_format_name(MemoryFormat format);
std::optional<MemoryFormat> memory_format_from_name(std::string_view name);

void append_constant(std::string& out, const Constant& constant);

}  // namespace esper::graph
