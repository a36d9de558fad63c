#include "esper/program/constant.h"

#include "esper/program/text/text_scalars.h"

namespace esper::graph {
namespace {

// One overload per alternative of Constant.
struct Writer {
    std::string& out;

    void operator()(std::monostate) { out += "none"; }
    void operator()(TrainingFlag) { out += "train"; }
    void operator()(bool value) { out += value ? "true" : "false"; }
    void operator()(std::int64_t value) { out += std::to_string(value); }
    void operator()(double value) { append_double(out, value, true); }
    void operator()(const std::string& value) { append_quoted(out, value, '"'); }
    void operator()(DType value) { out += dtype_name(value); }
    void operator()(MemoryFormat value) { out += memory_format_name(value); }

    // An empty list has the word for its element type; `[]` alone is an empty list of integers.
    void operator()(const std::vector<std::int64_t>& list) { write_list("", list); }
    void operator()(const std::vector<double>& list) { write_list("doubles", list); }
    void operator()(const std::vector<bool>& list) { write_list("bools", list); }

    template <typename T>
    void write_list(std::string_view empty_prefix, const std::vector<T>& list) {
        if (list.empty()) out += empty_prefix;
        out += '[';
        for (std::size_t i = 0; i < list.size(); ++i) {
            if (i > 0) out += ", ";
            (*this)(static_cast<T>(list[i]));
        }
        out += ']';
    }
};

}  // namespace

void append_constant(std::string& out, const Constant& constant) {
    std::visit(Writer{out}, constant);
}

std::string to_string(const Constant& constant) {
    std::string text;
    append_constant(text, constant);
    return text;
}

}  // namespace esper::graph
