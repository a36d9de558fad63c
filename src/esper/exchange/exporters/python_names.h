#pragma once
// How a Program's names are written down in Python.

#include <string>
#include <string_view>

namespace esper::graph {

/// A word that may stand behind a dot: an identifier, no keyword, nothing nn.Module uses itself.
bool is_python_word(std::string_view word);

/// `self.blocks["0"].attn.weight` for `blocks.0.attn.weight`.
std::string python_path(std::string_view root, std::string_view dotted);

/// `"…"` with what Python needs escaped.
std::string python_string(std::string_view text);

/// Words joined to a class name: `blocks/0` → `Blocks0`.
std::string python_class_name(std::string_view text);

/// A variable's name made from any text.
std::string python_variable(std::string_view text);

}  // namespace esper::graph
