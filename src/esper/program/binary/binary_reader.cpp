#include <fmt/format.h>

#include <array>
#include <span>
#include <vector>

#include "esper/base/hash.h"
#include "esper/program/binary/binary_format.h"
#include "esper/program/binary/binary_layout.h"
#include "esper/program/binary/byte_reader.h"
#include "esper/program/operators.h"

namespace esper::graph {
namespace {

using binary::ArgumentTag;

// One section's content, and where in the file it starts.
struct Section {
    std::string_view bytes;
    std::size_t start = 0;
    bool present = false;
};
using Sections = std::array<Section, binary::kSections.size()>;

tl::unexpected<Error> malformed(std::size_t offset, std::string_view message) {
    return fail(GraphError::kMalformed, fmt::format("offset {}: {}", offset, message));
}

Status check_envelope(std::string_view bytes) {
    if (bytes.size() > Limits::kMaxBytes) {
        return fail(GraphError::kTooLarge,
                    fmt::format("{} bytes, at most {} are read", bytes.size(), Limits::kMaxBytes));
    }
    if (bytes.substr(0, binary::kMagic.size()) != binary::kMagic) {
        return malformed(0, "expected the letters ESPRPROG of a Program in binary form");
    }
    if (bytes.size() < binary::kHeaderSize + binary::kChecksumSize) {
        return malformed(bytes.size(), "the file ends within its header");
    }
    ByteReader version(bytes.substr(8), 8);
    const std::uint64_t major = version.fixed(2, "the major version");
    if (major != binary::kMajor) {
        return fail(
            GraphError::kWrongVersion,
            fmt::format("offset 8: major version {} of the binary form; this build reads {}", major,
                        binary::kMajor));
    }
    const std::size_t end = bytes.size() - binary::kChecksumSize;
    const std::uint64_t claimed = ByteReader(bytes.substr(end), end).fixed(4, "the checksum");
    const std::uint32_t actual = crc32c(std::as_bytes(std::span(bytes.substr(0, end))));
    if (claimed != actual) {
        return malformed(end, fmt::format("the checksum is {:08x}, the bytes have {:08x}; the file "
                                          "was cut or changed",
                                          claimed, actual));
    }
    return {};
}

Result<Sections> split_sections(std::string_view bytes) {
    ByteReader in(bytes.substr(0, bytes.size() - binary::kChecksumSize));
    in.raw(12, "the header");
    Sections sections;
    std::size_t next = 0;
    const std::uint64_t count = in.fixed(4, "the number of sections");
    for (std::uint64_t i = 0; i < count && in.ok(); ++i) {
        const std::string_view tag = in.raw(4, "a section's tag");
        const std::uint64_t length = in.fixed(8, "a section's length");
        const std::size_t start = in.offset();
        const std::string_view payload = in.raw(length, "a section");
        if (!in.ok()) break;
        for (std::size_t k = 0; k < binary::kSections.size(); ++k) {
            if (binary::kSections[k] != tag) continue;
            if (k < next) in.refuse(fmt::format("section {} comes twice or too late", tag));
            sections[k] = {payload, start, true};
            next = k + 1;
        }
    }
    if (in.ok() && in.remaining() > 0) in.refuse("expected the end of the file");
    for (std::size_t k = 0; k < binary::kSections.size() && in.ok(); ++k) {
        if (!sections[k].present) {
            in.refuse(fmt::format("section {} is missing", binary::kSections[k]));
        }
    }
    if (in.error()) return fail(*in.error());
    return sections;
}

class BinaryReader {
  public:
    explicit BinaryReader(const Sections& sections) : sections_(sections) {}

    Result<Program::Parts> run() {
        using Step = void (BinaryReader::*)(ByteReader&);
        constexpr std::array<Step, binary::kSections.size()> kSteps{
            &BinaryReader::strings,    &BinaryReader::name,    &BinaryReader::inputs,
            &BinaryReader::parameters, &BinaryReader::buffers, &BinaryReader::controls,
            &BinaryReader::calls,      &BinaryReader::anchors, &BinaryReader::outputs};
        for (std::size_t k = 0; k < kSteps.size(); ++k) {
            ByteReader in(sections_[k].bytes, sections_[k].start);
            (this->*kSteps[k])(in);
            if (in.ok() && in.remaining() > 0) in.refuse("expected the end of the section");
            if (in.error()) {
                return fail(in.error()->within(fmt::format("section {}", binary::kSections[k])));
            }
        }
        return std::move(parts_);
    }

  private:
    ValueId define() { return ValueId(parts_.value_count++); }
    static ValueId use(ByteReader& in) { return ValueId(in.number32("a value")); }

    void strings(ByteReader& in) {
        const std::size_t count = in.count(1, "the number of strings");
        shared_.reserve(count);
        for (std::size_t i = 0; i < count && in.ok(); ++i) {
            shared_.push_back(in.text("a shared string"));
            if (shared_.back().size() > binary::kLongestShared) {
                in.refuse(fmt::format("a shared string has {} bytes, at most {} are allowed",
                                      shared_.back().size(), binary::kLongestShared));
            }
        }
    }
    void name(ByteReader& in) { parts_.name = in.text("the Program's name"); }

    static TensorType type(ByteReader& in) {
        TensorType type;
        type.dtype = static_cast<DType>(in.byte_below(kDTypeCount, "an element type"));
        const std::size_t rank = in.count(1, "a rank");
        for (std::size_t i = 0; i < rank && in.ok(); ++i)
            type.shape.push_back(in.integer("a size"));
        return type;
    }
    static Init init(ByteReader& in) {
        Init init;
        init.kind = static_cast<Init::Kind>(in.byte_below(4, "a kind of initialisation"));
        if (init.kind != Init::Kind::kZeros) init.value = in.real("an initial value");
        return init;
    }

    void inputs(ByteReader& in) {
        const std::size_t count = in.count(3, "the number of inputs");
        parts_.inputs.reserve(count);
        for (std::size_t i = 0; i < count && in.ok(); ++i) {
            std::string name(in.text("a name"));
            TensorType declared = type(in);
            parts_.inputs.push_back({std::move(name), std::move(declared), define()});
        }
    }
    void parameters(ByteReader& in) {
        const std::size_t count = in.count(5, "the number of parameters");
        parts_.parameters.reserve(count);
        for (std::size_t i = 0; i < count && in.ok(); ++i) {
            std::string name(in.text("a name"));
            TensorType declared = type(in);
            const Init initial = init(in);
            const bool trainable = in.byte_below(2, "whether it is trainable") == 1;
            parts_.parameters.push_back(
                {std::move(name), std::move(declared), initial, trainable, define()});
        }
    }
    void buffers(ByteReader& in) {
        const std::size_t count = in.count(4, "the number of buffers");
        parts_.buffers.reserve(count);
        for (std::size_t i = 0; i < count && in.ok(); ++i) {
            std::string name(in.text("a name"));
            TensorType declared = type(in);
            const Init initial = init(in);
            parts_.buffers.push_back({std::move(name), std::move(declared), initial, define()});
        }
    }
    void controls(ByteReader& in) {
        const std::size_t count = in.count(9, "the number of controls");
        parts_.controls.reserve(count);
        for (std::size_t i = 0; i < count && in.ok(); ++i) {
            std::string name(in.text("a name"));
            const double initial = in.real("an initial value");
            parts_.controls.push_back({std::move(name), initial, define()});
        }
    }

    std::string_view shared(ByteReader& in, std::string_view what) const {
        const std::uint64_t place = in.number(what);
        if (!in.ok()) return {};
        if (place == 0) return in.text(what);
        if (place <= shared_.size()) return shared_[place - 1];
        in.refuse(fmt::format("{} is string {}, there are {}", what, place, shared_.size()));
        return {};
    }

    void calls(ByteReader& in) {
        const std::size_t count = in.count(4, "the number of instructions");
        parts_.instructions.reserve(count);
        for (std::size_t i = 0; i < count && in.ok(); ++i) {
            Instruction item;
            item.op = shared(in, "an operator");
            item.scope = shared(in, "a scope");
            const std::size_t args = in.count(1, "the number of arguments");
            item.args.reserve(args);
            for (std::size_t k = 0; k < args && in.ok(); ++k) item.args.push_back(argument(in));
            const std::size_t results = in.count(1, "the number of results");
            for (std::size_t k = 0; k < results && in.ok(); ++k) {
                const ValueId expected = define();
                const ValueId id = use(in);
                item.results.push_back(expected);
                if (in.ok() && id != expected) {
                    in.refuse(fmt::format("expected the result to be value {}, got {}",
                                          expected.value(), id.value()));
                }
            }
            parts_.instructions.push_back(std::move(item));
        }
    }

    static Argument argument(ByteReader& in) {
        switch (static_cast<ArgumentTag>(in.byte_below(14, "an argument's tag"))) {
            case ArgumentTag::kNone:
                return Constant{};
            case ArgumentTag::kTrain:
                return Constant{TrainingFlag{}};
            case ArgumentTag::kFalse:
                return Constant{false};
            case ArgumentTag::kTrue:
                return Constant{true};
            case ArgumentTag::kInteger:
                return Constant{in.integer("an integer")};
            case ArgumentTag::kDouble:
                return Constant{in.real("a double")};
            case ArgumentTag::kString:
                return Constant{std::string(in.text("a string"))};
            case ArgumentTag::kIntegers:
                return list<std::int64_t>(in, 1, [&] { return in.integer("an integer"); });
            case ArgumentTag::kDoubles:
                return list<double>(in, 8, [&] { return in.real("a double"); });
            case ArgumentTag::kBools:
                return list<bool>(in, 1, [&] { return in.byte_below(2, "a truth value") == 1; });
            case ArgumentTag::kDType:
                return Constant{static_cast<DType>(in.byte_below(kDTypeCount, "an element type"))};
            case ArgumentTag::kMemoryFormat:
                return Constant{static_cast<MemoryFormat>(in.byte_below(3, "a memory format"))};
            case ArgumentTag::kValue:
                return use(in);
            case ArgumentTag::kValues:
                break;
        }
        ValueList values;
        const std::size_t count = in.count(1, "the length of a list");
        for (std::size_t i = 0; i < count && in.ok(); ++i) {
            const std::uint32_t place = in.number32("a value");
            values.push_back(place == 0 ? std::nullopt : std::optional(ValueId(place - 1)));
        }
        return values;
    }

    template <typename T>
    static Argument list(ByteReader& in, std::size_t item_size, const auto& read) {
        const std::size_t count = in.count(item_size, "the length of a list");
        std::vector<T> items;
        items.reserve(count);
        for (std::size_t i = 0; i < count && in.ok(); ++i) items.push_back(read());
        return Constant{std::move(items)};
    }

    void anchors(ByteReader& in) {
        const std::size_t count = in.count(5, "the number of anchors");
        parts_.anchors.reserve(count);
        for (std::size_t i = 0; i < count && in.ok(); ++i) {
            Anchor item;
            item.name = in.text("a name");
            item.kind = static_cast<AnchorKind>(in.byte_below(3, "a kind of anchor"));
            item.value = use(in);
            const std::uint32_t place = in.number32("a layer's input");
            if (place > 0) item.layer_input = ValueId(place - 1);
            item.features = in.integer("the number of features");
            parts_.anchors.push_back(std::move(item));
        }
    }
    void outputs(ByteReader& in) {
        const std::size_t count = in.count(2, "the number of outputs");
        parts_.outputs.reserve(count);
        for (std::size_t i = 0; i < count && in.ok(); ++i) {
            std::string name(in.text("a name"));
            const ValueId value = use(in);
            parts_.outputs.push_back({std::move(name), value});
        }
    }

    const Sections& sections_;
    std::vector<std::string_view> shared_;
    Program::Parts parts_;
};

}  // namespace

Result<ProgramPtr> parse_binary(std::string_view bytes) {
    ESPER_CHECK_STATUS(check_envelope(bytes));
    ESPER_TRY(const Sections sections, split_sections(bytes));
    ESPER_TRY(Program::Parts parts, BinaryReader(sections).run());
    return Program::make(std::move(parts));
}

Result<ProgramPtr> from_binary(std::string_view bytes) {
    ESPER_TRY(ProgramPtr program, parse_binary(bytes));
    ESPER_CHECK_STATUS(validate_operators(*program));
    return program;
}

}  // namespace esper::graph
