#include <bit>
#include <span>
#include <unordered_map>
#include <vector>

#include "esper/base/hash.h"
#include "esper/program/binary/binary_format.h"
#include "esper/program/binary/binary_layout.h"

namespace esper::graph {
namespace {

using binary::ArgumentTag;

class ByteWriter {
  public:
    void fixed(std::uint64_t value, int bytes) {
        for (int i = 0; i < bytes; ++i) out_.push_back(static_cast<char>(value >> (8 * i)));
    }
    void byte(auto value) { fixed(static_cast<std::uint64_t>(value), 1); }
    void number(std::uint64_t value) {
        while (value >= 0x80) {
            byte(value | 0x80);
            value >>= 7;
        }
        byte(value);
    }
    // Zigzag: small magnitudes of either sign stay short.
    void integer(std::int64_t value) {
        number((static_cast<std::uint64_t>(value) << 1) ^ static_cast<std::uint64_t>(value >> 63));
    }
    void real(double value) { fixed(std::bit_cast<std::uint64_t>(value), 8); }
    void text(std::string_view text) {
        number(text.size());
        out_ += text;
    }
    void raw(std::string_view bytes) { out_ += bytes; }
    std::string& bytes() { return out_; }

  private:
    std::string out_;
};

class BinaryWriter {
  public:
    explicit BinaryWriter(const Program& program)
        : program_(program), numbers_(program.value_count()) {}

    std::string run() {
        inputs();
        parameters();
        buffers();
        controls();
        calls();
        anchors();
        outputs();
        section("NAME").text(program_.name());
        ByteWriter& strings = section("STRS");
        strings.number(shared_order_.size());
        for (const std::string_view text : shared_order_) strings.text(text);
        return assemble();
    }

  private:
    ByteWriter& section(std::string_view tag) { return sections_[tag]; }

    // Numbers follow the order of the file and do not depend on the Program's own numbers.
    void define(ValueId id) { numbers_[id.value()] = next_number_++; }
    void use(ByteWriter& out, ValueId id) const { out.number(numbers_[id.value()]); }

    static void type(ByteWriter& out, const TensorType& type) {
        out.byte(type.dtype);
        out.number(type.shape.size());
        for (const std::int64_t size : type.shape) out.integer(size);
    }
    static void init(ByteWriter& out, const Init& init) {
        out.byte(init.kind);
        if (init.kind != Init::Kind::kZeros) out.real(init.value);
    }

    void inputs() {
        ByteWriter& out = section("INPT");
        out.number(program_.inputs().size());
        for (const Input& item : program_.inputs()) {
            out.text(item.name);
            type(out, item.type);
            define(item.value);
        }
    }
    void parameters() {
        ByteWriter& out = section("PARM");
        out.number(program_.parameters().size());
        for (const Parameter& item : program_.parameters()) {
            out.text(item.name);
            type(out, item.type);
            init(out, item.init);
            out.byte(item.trainable);
            define(item.value);
        }
    }
    void buffers() {
        ByteWriter& out = section("BUFF");
        out.number(program_.buffers().size());
        for (const Buffer& item : program_.buffers()) {
            out.text(item.name);
            type(out, item.type);
            init(out, item.init);
            define(item.value);
        }
    }
    void controls() {
        ByteWriter& out = section("CTRL");
        out.number(program_.controls().size());
        for (const Control& item : program_.controls()) {
            out.text(item.name);
            out.real(item.initial);
            define(item.value);
        }
    }

    // 0 and the text itself, or 1 + the index in the table of strings.
    void shared(ByteWriter& out, std::string_view text) {
        if (text.size() > binary::kLongestShared) {
            out.number(0);
            out.text(text);
            return;
        }
        const auto [at, added] = shared_.emplace(text, shared_order_.size());
        if (added) shared_order_.push_back(text);
        out.number(at->second + 1);
    }

    void calls() {
        ByteWriter& out = section("CALL");
        out.number(program_.instructions().size());
        for (const Instruction& item : program_.instructions()) {
            shared(out, item.op);
            shared(out, item.scope);
            out.number(item.args.size());
            for (const Argument& one : item.args) argument(out, one);
            out.number(item.results.size());
            for (const ValueId id : item.results) {
                define(id);
                use(out, id);
            }
        }
    }

    void argument(ByteWriter& out, const Argument& argument) const {
        if (const auto* id = std::get_if<ValueId>(&argument)) {
            out.byte(ArgumentTag::kValue);
            use(out, *id);
        } else if (const auto* list = std::get_if<ValueList>(&argument)) {
            out.byte(ArgumentTag::kValues);
            out.number(list->size());
            for (const auto& item : *list) out.number(item ? numbers_[item->value()] + 1ULL : 0ULL);
        } else {
            std::visit(ConstantWriter{out}, std::get<Constant>(argument));
        }
    }

    struct ConstantWriter {
        ByteWriter& out;

        void operator()(std::monostate) { out.byte(ArgumentTag::kNone); }
        void operator()(TrainingFlag) { out.byte(ArgumentTag::kTrain); }
        void operator()(bool value) { out.byte(value ? ArgumentTag::kTrue : ArgumentTag::kFalse); }
        void operator()(std::int64_t value) {
            out.byte(ArgumentTag::kInteger);
            out.integer(value);
        }
        void operator()(double value) {
            out.byte(ArgumentTag::kDouble);
            out.real(value);
        }
        void operator()(const std::string& value) {
            out.byte(ArgumentTag::kString);
            out.text(value);
        }
        void operator()(const std::vector<std::int64_t>& list) {
            out.byte(ArgumentTag::kIntegers);
            out.number(list.size());
            for (const std::int64_t value : list) out.integer(value);
        }
        void operator()(const std::vector<double>& list) {
            out.byte(ArgumentTag::kDoubles);
            out.number(list.size());
            for (const double value : list) out.real(value);
        }
        void operator()(const std::vector<bool>& list) {
            out.byte(ArgumentTag::kBools);
            out.number(list.size());
            for (const bool value : list) out.byte(value);
        }
        void operator()(DType value) {
            out.byte(ArgumentTag::kDType);
            out.byte(value);
        }
        void operator()(MemoryFormat value) {
            out.byte(ArgumentTag::kMemoryFormat);
            out.byte(value);
        }
    };

    void anchors() {
        ByteWriter& out = section("ANCH");
        out.number(program_.anchors().size());
        for (const Anchor& item : program_.anchors()) {
            out.text(item.name);
            out.byte(item.kind);
            use(out, item.value);
            out.number(item.layer_input ? numbers_[item.layer_input->value()] + 1ULL : 0ULL);
            out.integer(item.features);
        }
    }
    void outputs() {
        ByteWriter& out = section("OUTP");
        out.number(program_.outputs().size());
        for (const Output& item : program_.outputs()) {
            out.text(item.name);
            use(out, item.value);
        }
    }

    std::string assemble() {
        ByteWriter file;
        file.raw(binary::kMagic);
        file.fixed(binary::kMajor, 2);
        file.fixed(binary::kMinor, 2);
        file.fixed(binary::kSections.size(), 4);
        for (const std::string_view tag : binary::kSections) {
            const std::string& payload = section(tag).bytes();
            file.raw(tag);
            file.fixed(payload.size(), 8);
            file.raw(payload);
        }
        file.fixed(crc32c(std::as_bytes(std::span(file.bytes()))), 4);
        return std::move(file.bytes());
    }

    const Program& program_;
    std::vector<std::uint32_t> numbers_;
    std::uint32_t next_number_ = 0;
    std::unordered_map<std::string_view, ByteWriter> sections_;
    std::unordered_map<std::string_view, std::size_t> shared_;
    std::vector<std::string_view> shared_order_;
};

}  // namespace

std::string to_binary(const Program& program) { return BinaryWriter(program).run(); }

}  // namespace esper::graph
