#include "esper/exchange/exporters/python_names.h"

#include <fmt/format.h>

#include <cctype>
#include <set>

#include "esper/base/text.h"

namespace esper::graph {

namespace {

bool is_letter(char c) { return std::isalpha(static_cast<unsigned char>(c)) != 0; }
bool is_digit(char c) { return std::isdigit(static_cast<unsigned char>(c)) != 0; }

const std::set<std::string, std::less<>>& taken_words() {
    static const std::set<std::string, std::less<>> words{
        "False", "None", "True", "and", "as", "assert", "async", "await", "break", "class",
        "continue", "def", "del", "elif", "else", "except", "finally", "for", "from", "global",
        "if", "import", "in", "is", "lambda", "nonlocal", "not", "or", "pass", "raise", "return",
        "try", "while", "with", "yield",
        // Attributes of nn.Module and of the generated classes.
        "add_module", "apply", "bfloat16", "buffers", "call_super_init", "children", "compile",
        "cpu", "cuda", "double", "dump_patches", "eval", "extra_repr", "float", "forward",
        "get_buffer", "get_extra_state", "get_parameter", "get_submodule", "half", "ipu", "load",
        "load_state_dict", "modules", "mtia", "named_buffers", "named_children", "named_modules",
        "named_parameters", "parameters", "put", "register_backward_hook", "register_buffer",
        "register_forward_hook", "register_forward_pre_hook", "register_full_backward_hook",
        "register_full_backward_pre_hook", "register_load_state_dict_post_hook",
        "register_load_state_dict_pre_hook", "register_module", "register_parameter",
        "register_state_dict_post_hook", "register_state_dict_pre_hook", "requires_grad_", "self",
        "set_extra_state", "set_submodule", "share_memory", "state_dict", "to", "to_empty", "train",
        "training", "type", "xpu", "zero_grad"};
    return words;
}

}  // namespace

bool is_python_word(std::string_view word) {
    if (word.empty() || !is_letter(word.front())) return false;
    for (char c : word)
        if (!is_letter(c) && !is_digit(c) && c != '_') return false;
    return !taken_words().contains(word);
}

std::string python_path(std::string_view root, std::string_view dotted) {
    std::string path(root);
    for (const auto& word : split(dotted, '.'))
        path += is_python_word(word) ? "." + word : "[" + python_string(word) + "]";
    return path;
}

std::string python_string(std::string_view text) {
    std::string out = "\"";
    for (char c : text) {
        if (c == '"' || c == '\\')
            out += std::string("\\") + c;
        else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
            out += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
        else
            out += c;
    }
    return out + "\"";
}

std::string python_class_name(std::string_view text) {
    std::string out;
    bool upper = true;
    for (char c : text) {
        if (!is_letter(c) && !is_digit(c)) {
            upper = true;
            continue;
        }
        out += upper ? static_cast<char>(std::toupper(static_cast<unsigned char>(c))) : c;
        upper = false;
    }
    return out;
}

std::string python_variable(std::string_view text) {
    std::string out;
    for (char c : text) out += is_letter(c) || is_digit(c) ? c : '_';
    if (!is_python_word(out)) out = "in_" + out;
    return out;
}

}  // namespace esper::graph
