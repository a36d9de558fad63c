#pragma once
// Turns a Program's names into Python names.

#include <string>
#include <string_view>

namespace esper::graph {

/// Whether `word` can be an attribute of a module: an identifier that is neither a keyword nor an
/// attribute of nn.Module.
bool is_python_word(std::string_view word);

/// `self.blocks["0"].attn.weight` for `blocks.0.attn.weight`.
std::string python_path(std::string_view root, std::string_view dotted);

/// A Python string literal in double quotes, with escapes.
std::string python_string(std::string_view text);

/// Words joined to a class name: `blocks/0` → `Blocks0`.
std::string python_class_name(std::string_view text);

/// A valid variable name made from any text.
std::string python_variable(std::string_view text);

}  // namespace esper::graph
