// Reading a stranger's Program, by whichever way in, executes nothing and takes no memory.

#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <fstream>

#include "base/temporary_folder.h"
#include "esper/engine/interpreter.h"
#include "esper/engine/memory/allocation_watch.h"
#include "esper/program/anchor_types.h"
#include "esper/program/binary/binary_format.h"
#include "esper/program/cost/cost.h"
#include "esper/program/edits/journal.h"
#include "esper/program/edits/journal_entry.h"
#include "esper/program/layers.h"
#include "esper/program/shapes.h"
#include "esper/program/text/text_format.h"

namespace esper::graph {
namespace {

constexpr std::int64_t kSmall = 64;  // bytes

/// A file with something in it, and what tells that nobody touched it.
class Victim {
  public:
    Victim() { std::ofstream(path_) << std::string(70, 'x'); }
    std::string path() const { return path_.string(); }
    std::string missing() const { return path_.string() + ".new"; }
    void expect_untouched() const {
        std::ifstream file(path_);
        EXPECT_EQ(std::string(std::istreambuf_iterator<char>(file), {}), std::string(70, 'x'));
        EXPECT_FALSE(std::filesystem::exists(missing()));
    }

  private:
    TemporaryFolder folder_;
    std::filesystem::path path_ = folder_ / "victim";
};

/// Maps a file and writes into it, if ever it is run.
std::string hostile_text(const std::string& file) {
    return "esper-program 1 \"ff\"\ninput x: i64[?, 16]\nparam w: f32[94, 16] normal(0.02)\n"
           "%0 = aten::embedding(w, x, -1, false, false)\n%1 = aten::from_file(\"" +
           file +
           "\", true, 16, f32, none, none, none)\n%2 = aten::fill_.Scalar(%1, 1.0)\n"
           "%3 = aten::add.Tensor(%0, %2, 1)\noutput logits: %3\n";
}

void expect_forbidden(const Error& error) {
    EXPECT_TRUE(error.is(GraphError::kForbiddenOperator)) << error.to_string();
    EXPECT_NE(error.message().find("aten::from_file"), std::string::npos) << error.message();
}

TEST(Looking, RefusesAnOperatorThatWritesFilesByEveryWayIn) {
    const Victim victim;
    for (const auto& file : {victim.path(), victim.missing()}) {
        const auto text = hostile_text(file);
        const auto program = value_or_throw(parse_text(text));

        const auto from_its_text = from_text(text);
        ASSERT_FALSE(from_its_text);
        expect_forbidden(from_its_text.error());

        const auto from_its_bytes = from_binary(to_binary(*program));
        ASSERT_FALSE(from_its_bytes);
        expect_forbidden(from_its_bytes.error());

        JournalEntry first;
        first.previous = kNoPrevious;
        first.program_sha256 = program->hash().hex();
        first.initial = program;
        first.reason = "the first Program";
        first.hash = entry_hash(first);
        const auto journal = parse_journal(entry_line(first) + "\n");
        ASSERT_FALSE(journal);
        EXPECT_TRUE(journal.error().is(GraphError::kBrokenChain));
        EXPECT_NE(journal.error().message().find("aten::from_file"), std::string::npos);

        // Whoever has such a Program all the same can neither look at it nor run it.
        const auto types = infer_types(*program);
        ASSERT_FALSE(types);
        expect_forbidden(types.error());
        const auto cost = count_cost(*program);
        ASSERT_FALSE(cost);
        expect_forbidden(cost.error());
        const auto interpreter = Interpreter::make(program, true);
        ASSERT_FALSE(interpreter);
        expect_forbidden(interpreter.error());
    }
    victim.expect_untouched();
}

TEST(Looking, RefusesAnEditThatBringsSuchAnOperator) {
    const Victim victim;
    ProgramBuilder b("host");
    auto x = b.input("x", {DType::kFloat32, {-1, 16}});
    auto h = linear(b, "fc", x, {16, 16}, normal(1));
    b.anchor("fc", AnchorKind::kVector, h, 16);
    b.output("logits", h);
    const auto host = value_or_throw(b.finish());
    const auto blueprint = value_or_throw(parse_text(
        "esper-program 1 \"b\"\ninput x: f32[?, 16]\n%0 = aten::from_file(\"" + victim.path() +
        "\", true, 16, f32, none, none, none)\n%1 = aten::add.Tensor(x, %0, 1)\n"
        "output y: %1\n"));
    const Edit insert = InsertSeed{"s", "fc", "b", blueprint};
    const auto grown = apply(*host, insert);
    ASSERT_FALSE(grown);
    expect_forbidden(grown.error());

    JournalEntry first;
    first.previous = kNoPrevious;
    first.program_sha256 = host->hash().hex();
    first.initial = host;
    first.hash = entry_hash(first);
    JournalEntry second{1, 5, first.hash, std::string(64, '0'), "", insert, nullptr, ""};
    second.hash = entry_hash(second);
    const auto journal = parse_journal(entry_line(first) + "\n" + entry_line(second) + "\n");
    ASSERT_FALSE(journal);
    EXPECT_NE(journal.error().message().find("aten::from_file"), std::string::npos)
        << journal.error().message();
    victim.expect_untouched();
}

std::string program_with(const std::string& instructions) {
    return "esper-program 1 \"p\"\ninput x: f32[?, 4]\n" + instructions;
}

TEST(Looking, TakesNoMemoryForWhatAProgramWouldMake) {
    for (const char* lines :
         {"%0 = aten::ones([8000000000], f32, none, none, none)\noutput y: %0\n",
          "%0 = aten::zeros([100000, 100000], f32, none, none, none)\n"
          "%1 = aten::fill_.Scalar(%0, 1.0)\n%2 = aten::relu_(%1)\n%3 = aten::relu(%2)\n"
          "output y: %3\n",
          "%0 = aten::rand([1000000, 1000000], f32, none, none, none)\n%1 = aten::tanh(%0)\n"
          "output y: %1\n",
          "%0 = aten::arange(1000000000000, none, none, none, none)\noutput y: %0\n",
          "%0 = aten::full([1000, 1000, 1000, 10], 1.5, f32, none, none, none)\noutput y: %0\n",
          "%0 = aten::eye(1000000, none, none, none, none)\noutput y: %0\n",
          "%0 = aten::tril_indices(100000, 100000, 0, i64, none, none, none)\noutput y: %0\n",
          "%0 = aten::linspace(0.0, 1.0, 9000000000, none, none, none, none)\noutput y: %0\n",
          "%0 = aten::expand(x, [100000, 100000, 4], false)\n%1 = aten::contiguous(%0, "
          "contiguous)\n%2 = aten::matmul(%1, %1)\noutput y: %1\n",
          "%0 = aten::one_hot(x, 1000000)\noutput y: %0\n",
          "%0 = aten::pad(x, [100000000, 100000000], \"constant\", 0.0)\n%1 = aten::relu(%0)\n"
          "%2 = aten::cat([%1, %1], 1)\noutput y: %2\n"}) {
        const auto program = from_text(program_with(lines));
        ASSERT_TRUE(program) << program.error().to_string();
        AllocationWatch watch;
        [[maybe_unused]] const auto types = infer_types(**program);
        [[maybe_unused]] const auto cost = count_cost(**program);
        [[maybe_unused]] const auto anchors = anchor_types(**program);
        EXPECT_LE(watch.largest(), kSmall) << lines;
    }
    // What is watched is seen: run for real, a Program takes what it says.
    const auto real = value_or_throw(
        from_text("esper-program 1 \"p\"\n%0 = aten::ones([1000], f32, none, none, none)\n"
                  "output y: %0\n"));
    AllocationWatch watch;
    ASSERT_TRUE(value_or_throw(Interpreter::make(real, false)).run(Interpreter::Bindings{}));
    EXPECT_GE(watch.largest(), 4000);
}

TEST(Looking, RefusesAbsurdSizesWithTheLimit) {
    for (const char* lines :
         {"%0 = aten::ones([8796093022208], f32, none, none, none)\noutput y: %0\n",
          "%0 = aten::zeros([2097152, 2097152], f32, none, none, none)\noutput y: %0\n",
          "%0 = aten::expand(x, [1099511627776, 1, 4], false)\noutput y: %0\n",
          "%0 = aten::reshape(x, [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 4])\n"
          "output y: %0\n"}) {
        const auto program = from_text(program_with(lines));
        ASSERT_TRUE(program) << program.error().to_string();
        AllocationWatch watch;
        const auto types = infer_types(**program);
        ASSERT_FALSE(types) << lines;
        EXPECT_TRUE(types.error().is(GraphError::kTooLarge)) << types.error().to_string();
        EXPECT_NE(types.error().message().find("1099511627776"), std::string::npos)
            << types.error().to_string();
        EXPECT_LE(watch.largest(), kSmall) << lines;
    }
}

TEST(Looking, RefusesToMakeMoreTensorsThanAProgramMayHave) {
    for (const char* lines : {"%1 = aten::unbind.int(%0, 0)\noutput y: %1\n",
                              "%1 = aten::split.Tensor(%0, 1, 0)\noutput y: %1\n",
                              "%1 = aten::chunk(%0, 100000000, 0)\noutput y: %1\n",
                              "%1 = aten::tensor_split.sections(%0, 100000000, 0)\noutput y: %1\n",
                              "%1 = aten::diff(%0, 100000000, 0, none, none)\noutput y: %1\n"}) {
        const auto program = from_text(program_with(
            std::string("%0 = aten::ones([8000000000], f32, none, none, none)\n") + lines));
        ASSERT_TRUE(program) << program.error().to_string();
        const auto types = infer_types(**program);
        ASSERT_FALSE(types) << lines;
        EXPECT_NE(types.error().message().find("4096"), std::string::npos)
            << types.error().to_string();
    }
}

double seconds(const auto& work) {
    const auto start = std::chrono::steady_clock::now();
    work();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

std::string long_chain(int count) {
    std::string text = "esper-program 1 \"p\"\ninput x: f32[?, 4]\n%0 = aten::relu(x)\n";
    for (int i = 1; i < count; ++i)
        text += "%" + std::to_string(i) + " = aten::relu(%" + std::to_string(i - 1) + ")\n";
    return text + "output y: %" + std::to_string(count - 1) + "\n";
}

// Eight times as many instructions take about eight times as long; it was sixty-four times.
TEST(Looking, TakesTimeInProportionToTheFilesLength) {
    const auto read = [](int count) {
        const auto text = long_chain(count);
        return seconds([&] {
            const auto program = value_or_throw(from_text(text));
            value_or_throw(count_cost(*program));
            program->hash();
        });
    };
    read(1000);
    const double few = std::min(read(5000), read(5000));
    const double many = read(40000);
    EXPECT_LT(many, 24 * few) << "5,000 instructions: " << few << " s; 40,000: " << many << " s";
}

}  // namespace
}  // namespace esper::graph
