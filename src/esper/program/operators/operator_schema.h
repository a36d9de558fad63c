#pragma once
// The schema of an operator, read from the text that libtorch prints for it.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "esper/program/constant.h"
#include "esper/program/types.h"

namespace esper::graph {

/// The type of an argument or a result: `Tensor`, `SymInt[2]`, `Tensor?[]`, `ScalarType?`.
struct SchemaType {
    enum class Kind : std::uint8_t {
        kTensor,
        kInteger,  ///< also an element type, a layout or a memory format
        kFloat,
        kNumber,  ///< an integer, a float or a boolean
        kBool,
        kString,
        kOther,  ///< a device or a generator: no constant of a Program but `none`
    };
    Kind kind = Kind::kTensor;
    bool is_list = false;
    bool is_optional = false;
    bool has_optional_items = false;
    std::size_t length = 0;  ///< of a list that has one
    std::string text;        ///< as it stands in the schema, without the marks of aliases
};

struct SchemaArgument {
    std::string name;
    SchemaType type;
    std::optional<Constant> fallback;  ///< the default, where there is one
    bool keyword_only = false;
    bool is_written = false;  ///< `Tensor(a!)`
    bool is_shared = false;   ///< `Tensor(a)`: a result may be a view of it
};

struct OperatorSchema {
    std::string name;  ///< `aten::add.Tensor`
    std::vector<SchemaArgument> arguments;
    std::vector<SchemaType> results;

    /// True for an operator that returns one list of tensors (`split`, `unbind`): it has as many
    /// results as the list has items.
    bool returns_list() const {
        return results.size() == 1 && results[0].is_list &&
               results[0].kind == SchemaType::Kind::kTensor;
    }
};

/// Reads `aten::add.Tensor(Tensor self, Tensor other, *, Scalar alpha=1) -> Tensor`.
/// Errors: kMalformed, saying where the text stops being a schema.
Result<OperatorSchema> parse_schema(std::string_view text);

}  // namespace esper::graph
