#include "esper/program/program_hash.h"

#include <algorithm>
#include <bit>
#include <optional>

#include "esper/program/effects.h"

namespace esper::graph {
namespace {

// Bytes to be hashed; every variable-length item is preceded by its length.
class HashText {
  public:
    explicit HashText(std::string_view domain) { field(domain); }

    HashText& number(std::uint64_t value) {
        for (int i = 0; i < 8; ++i) bytes_.push_back(static_cast<char>(value >> (8 * i)));
        return *this;
    }
    HashText& integer(std::int64_t value) { return number(static_cast<std::uint64_t>(value)); }
    HashText& real(double value) { return number(std::bit_cast<std::uint64_t>(value)); }
    HashText& field(std::string_view text) {
        number(text.size());
        bytes_.append(text);
        return *this;
    }
    HashText& digest(const Sha256& hash) {
        bytes_.append(reinterpret_cast<const char*>(hash.bytes.data()), hash.bytes.size());
        return *this;
    }
    HashText& type(const TensorType& type) {
        field(dtype_name(type.dtype)).number(type.shape.size());
        for (const std::int64_t size : type.shape) integer(size);
        return *this;
    }
    HashText& init(const Init& init) {
        return number(static_cast<std::uint64_t>(init.kind)).real(init.value);
    }
    /// Order-free: sorts before hashing.
    HashText& set(std::vector<Sha256> hashes) {
        std::sort(hashes.begin(), hashes.end());
        number(hashes.size());
        for (const Sha256& hash : hashes) digest(hash);
        return *this;
    }
    Sha256 finish() const { return sha256(bytes_); }

  private:
    std::string bytes_;
};

struct ConstantHash {
    HashText& text;

    void operator()(std::monostate) { text.field("none"); }
    void operator()(TrainingFlag) { text.field("train"); }
    void operator()(bool value) { text.field("bool").number(value ? 1 : 0); }
    void operator()(std::int64_t value) { text.field("int").integer(value); }
    void operator()(double value) { text.field("double").real(value); }
    void operator()(const std::string& value) { text.field("string").field(value); }
    void operator()(DType value) { text.field("dtype").field(dtype_name(value)); }
    void operator()(MemoryFormat value) {
        text.field("format").number(static_cast<std::uint64_t>(value));
    }
    void operator()(const std::vector<std::int64_t>& list) {
        text.field("ints").number(list.size());
        for (const std::int64_t value : list) text.integer(value);
    }
    void operator()(const std::vector<double>& list) {
        text.field("doubles").number(list.size());
        for (const double value : list) text.real(value);
    }
    void operator()(const std::vector<bool>& list) {
        text.field("bools").number(list.size());
        for (const bool value : list) text.number(value ? 1 : 0);
    }
};

class ProgramHasher {
  public:
    explicit ProgramHasher(const Program& program)
        : program_(program),
          values_(program.value_count()),
          memory_(program.value_count()),
          versions_(program.value_count()) {
        for (std::uint32_t id = 0; id < program.value_count(); ++id) memory_[id] = id;
    }

    Sha256 run() {
        HashText whole("esper.program.1");
        whole.set(inputs()).set(parameters()).set(buffers()).set(controls());
        whole.set(instructions()).set(outputs()).set(anchors());
        return whole.finish();
    }

  private:
    // The hash for a reader of the value now: its definition's, or, after a write to its memory,
    // one that includes the write.
    Sha256 read(ValueId id) const {
        const Sha256& defined = values_[id.value()];
        const auto& version = versions_[memory_[id.value()]];
        if (!version) return defined;
        return HashText("read").digest(defined).digest(*version).finish();
    }

    Sha256 declare(ValueId id, const HashText& text) { return values_[id.value()] = text.finish(); }

    std::vector<Sha256> inputs() {
        std::vector<Sha256> hashes;
        for (const Input& item : program_.inputs()) {
            hashes.push_back(
                declare(item.value, HashText("input").field(item.name).type(item.type)));
        }
        return hashes;
    }
    std::vector<Sha256> parameters() {
        std::vector<Sha256> hashes;
        for (const Parameter& item : program_.parameters()) {
            hashes.push_back(declare(item.value, HashText("parameter")
                                                     .field(item.name)
                                                     .type(item.type)
                                                     .init(item.init)
                                                     .number(item.trainable ? 1 : 0)));
        }
        return hashes;
    }
    std::vector<Sha256> buffers() {
        std::vector<Sha256> hashes;
        for (const Buffer& item : program_.buffers()) {
            hashes.push_back(declare(
                item.value, HashText("buffer").field(item.name).type(item.type).init(item.init)));
        }
        return hashes;
    }
    std::vector<Sha256> controls() {
        std::vector<Sha256> hashes;
        for (const Control& item : program_.controls()) {
            hashes.push_back(
                declare(item.value, HashText("control").field(item.name).real(item.initial)));
        }
        return hashes;
    }

    std::vector<Sha256> instructions() {
        std::vector<Sha256> hashes;
        hashes.reserve(program_.instructions().size());
        std::uint64_t draws = 0;
        for (const Instruction& item : program_.instructions()) {
            HashText text("call");
            text.field(item.op).number(item.args.size());
            for (const Argument& argument : item.args) add(text, argument);
            text.number(item.results.size());
            if (draws_random_numbers(item)) text.field("draw").number(draws++);
            const Sha256 hash = text.finish();
            hashes.push_back(hash);
            define_results(item, hash);
            record_writes(item, hash);
        }
        return hashes;
    }

    void add(HashText& text, const Argument& argument) const {
        if (const auto* id = std::get_if<ValueId>(&argument)) {
            text.field("value").digest(read(*id));
        } else if (const auto* list = std::get_if<ValueList>(&argument)) {
            text.field("values").number(list->size());
            for (const auto& item : *list) {
                if (item) {
                    text.field("value").digest(read(*item));
                } else {
                    text.field("none");
                }
            }
        } else {
            std::visit(ConstantHash{text}, std::get<Constant>(argument));
        }
    }

    void define_results(const Instruction& item, const Sha256& hash) {
        const ValueId* shared = nullptr;
        if (results_share_first_argument(item) && !item.args.empty()) {
            shared = std::get_if<ValueId>(&item.args[0]);
        }
        for (std::size_t i = 0; i < item.results.size(); ++i) {
            const std::uint32_t id = item.results[i].value();
            values_[id] = HashText("result").digest(hash).number(i).finish();
            if (shared) memory_[id] = memory_[shared->value()];
        }
    }

    void record_writes(const Instruction& item, const Sha256& hash) {
        for (const std::size_t position : written_arguments(item)) {
            const Sha256 version = HashText("write").digest(hash).number(position).finish();
            for_each_value(item.args[position],
                           [&](ValueId id) { versions_[memory_[id.value()]] = version; });
        }
    }

    std::vector<Sha256> outputs() const {
        std::vector<Sha256> hashes;
        for (const Output& item : program_.outputs()) {
            hashes.push_back(HashText("output").field(item.name).digest(read(item.value)).finish());
        }
        return hashes;
    }
    std::vector<Sha256> anchors() const {
        std::vector<Sha256> hashes;
        for (const Anchor& item : program_.anchors()) {
            HashText text("anchor");
            text.field(item.name).field(anchor_kind_name(item.kind)).digest(read(item.value));
            if (item.layer_input) {
                text.field("from").digest(read(*item.layer_input));
            } else {
                text.field("none");
            }
            hashes.push_back(text.integer(item.features).finish());
        }
        return hashes;
    }

    const Program& program_;
    std::vector<Sha256> values_;
    /// For each value the value that owns its memory: itself, except for views and in-place
    /// results.
    std::vector<std::uint32_t> memory_;
    std::vector<std::optional<Sha256>> versions_;
};

}  // namespace

Sha256 canonical_hash(const Program& program) { return ProgramHasher(program).run(); }

}  // namespace esper::graph
