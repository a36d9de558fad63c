#include "esper/program/text/text_format.h"

#include <gtest/gtest.h>

#include "esper/program/text/text_scalars.h"
#include "program/small_programs.h"

namespace esper::graph {
namespace {

using namespace testing;

void expect_refused(std::string_view text, GraphError code, std::string_view words) {
    const auto read = from_text(text);
    ASSERT_FALSE(read) << text;
    EXPECT_TRUE(read.error().is(code)) << read.error().to_string();
    EXPECT_NE(read.error().message().find(words), std::string::npos) << read.error().to_string();
}

TEST(TextForm, IsWhatAPersonWouldWrite) {
    EXPECT_EQ(to_text(*small_host()), R"(esper-program 1 "host"
input x: f32[?, 8]
param fc1.weight: f32[8, 8] uniform(0.25)
param fc1.bias: f32[8] zeros
param fc2.weight: f32[8, 8] normal(0.1)
%0 = aten::linear(x, fc1.weight, fc1.bias) @ fc1
%1 = aten::relu(%0) @ act
%2 = aten::linear(%1, fc2.weight, none) @ fc2
%3 = aten::add.Tensor(%2, %0, 1)
anchor fc1: vector %0 from x features 8
anchor fc2: vector %2 from %1 features 8
output logits: %3
)");
}

TEST(TextForm, CarriesEverythingThereIs) {
    const auto program = one_of_everything();
    const std::string text = to_text(*program);
    const auto read = parse_text(text);
    ASSERT_TRUE(read) << read.error().to_string() << "\n" << text;
    EXPECT_EQ(to_text(**read), text);
    EXPECT_EQ((*read)->hash(), program->hash());
    for (const char c : text) EXPECT_TRUE(c == '\n' || (c >= 0x20 && c <= 0x7e));
}

TEST(TextForm, DoesNotDependOnValueNumbers) {
    auto parts = small_host()->parts();
    // Reverse all value numbers.
    const auto flip = [&](ValueId& id) { id = ValueId(parts.value_count - 1 - id.value()); };
    for (auto& item : parts.inputs) flip(item.value);
    for (auto& item : parts.parameters) flip(item.value);
    for (auto& item : parts.outputs) flip(item.value);
    for (auto& item : parts.anchors) {
        flip(item.value);
        flip(*item.layer_input);
    }
    for (auto& item : parts.instructions) {
        for (auto& id : item.results) flip(id);
        for (auto& argument : item.args) {
            if (auto* id = std::get_if<ValueId>(&argument)) flip(*id);
        }
    }
    const auto flipped = Program::make(std::move(parts));
    ASSERT_TRUE(flipped);
    EXPECT_EQ(to_text(**flipped), to_text(*small_host()));
    EXPECT_EQ((*flipped)->hash(), small_host()->hash());
}

TEST(TextForm, ReadsCommentsBlankLinesAndAnyOrderOfDeclarations) {
    const auto read = from_text(
        "\n# a comment\nesper-program 1 \"\"\r\n\n  input   x : f32[ 2,?]  # trailing\n"
        "%7=aten::relu(x)\noutput y: %7\nparam w: f32[] constant(-inf) frozen\n"
        "%1 = aten::mul.Tensor(%7, w) @ 3");
    ASSERT_TRUE(read) << read.error().to_string();
    EXPECT_EQ(to_text(**read),
              "esper-program 1 \"\"\ninput x: f32[2, ?]\nparam w: f32[] constant(-inf) frozen\n"
              "%0 = aten::relu(x)\n%1 = aten::mul.Tensor(%0, w) @ 3\noutput y: %0\n");
}

TEST(TextForm, SaysWhereATextIsWrong) {
    const auto bad = GraphError::kMalformed;
    const std::string head = "esper-program 1 \"p\"\ninput x: f32[2]\n";
    expect_refused("", bad, "line 1, column 1: expected a Program's first line");
    expect_refused("esper-program one \"p\"", bad, "line 1, column 15");
    expect_refused("esper-program 1 p", bad, "name in double quotes");
    expect_refused("esper-program 1 \"p", bad, "closing \"");
    expect_refused("esper-program 1 \"\\q\"", bad, "an escape is");
    expect_refused("esper-program 1 \"\\xFF\"", bad, "an escape is");
    expect_refused("esper-program 1 \"\\", bad, "an escape is");
    expect_refused("esper-program 1 \"p\" x", bad, "line 1, column 21: expected the end");
    expect_refused(head + "inputs y: f32[]", bad, "line 3, column 1: expected input, param");
    expect_refused(head + "input y f32[]", bad, "line 3, column 9: expected ':'");
    expect_refused(head + "input 3: f32[]", bad, "line 3, column 7: expected a name");
    expect_refused(head + "input none: f32[]", bad, "backquotes");
    expect_refused(head + "input y: f33[]", bad, "element type");
    expect_refused(head + "input y: f32", bad, "expected '['");
    expect_refused(head + "input y: f32[-1]", bad, "expected a size");
    expect_refused(head + "input y: f32[1.5]", bad, "expected a size");
    expect_refused(head + "input y: f32[1 2]", bad, "expected ','");
    expect_refused(head + "param y: f32[1]", bad, "expected zeros");
    expect_refused(head + "param y: f32[1] ones", bad, "expected zeros");
    expect_refused(head + "param y: f32[1] normal(x)", bad, "expected a number");
    expect_refused(head + "param y: f32[1] normal(1", bad, "expected ')'");
    expect_refused(head + "control c: x", bad, "expected a number");
    expect_refused(head + "%0 aten::relu(x)", bad, "line 3, column 4: expected '='");
    expect_refused(head + "% = aten::relu(x)", bad, "digits after %");
    expect_refused(head + "%0 = relu(x)", bad, "expected an operator");
    expect_refused(head + "%0 = aten::relu x", bad, "expected '('");
    expect_refused(head + "%0 = aten::relu(x x)", bad, "line 3, column 19: expected ','");
    expect_refused(head + "%0 = aten::relu(x", bad, "expected ','");
    expect_refused(head + "%0 = aten::relu(x,)", bad, "expected a value or a constant");
    expect_refused(head + "%0 = aten::relu(x) @", bad, "expected a scope");
    expect_refused(head + "%0 = aten::relu(;)", bad, "0x3b has no meaning");
    expect_refused(head + "%0 = aten::cat([x, 1], 0)", bad, "constants of one kind");
    expect_refused(head + "%0 = aten::cat([[x]], 0)", bad, "no list within a list");
    expect_refused(head + "%0 = aten::cat(values[x], 0)", bad, "an empty list");
    expect_refused(head + "%0 = aten::cat(values, 0)", bad, "expected '['");
    expect_refused(head + "%0 = t::a(nan(0x7ff0000000000000))", bad, "digits of a nan");
    expect_refused(head + "%0 = t::a(nan(3))", bad, "digits of a nan");
    expect_refused(head + "%0 = t::a(99999999999999999999)", bad, "64 bits");
    expect_refused(head + "anchor a: video x features 3", bad, "expected image");
    expect_refused(head + "anchor a: image 3 features 3", bad, "expected a value");
    expect_refused(head + "anchor a: image x from x feature 3", bad, "expected features");
    expect_refused(head + "anchor a: image x features x", bad, "number of features");
    expect_refused(head + "output y x", bad, "expected ':'");
}

TEST(TextForm, NamesTheErrorsThatAreNotOfSpelling) {
    const std::string head = "esper-program 1 \"p\"\ninput x: f32[2]\n";
    expect_refused("esper-program 2 \"p\"", GraphError::kWrongVersion, "reads version 1");
    expect_refused(head + "input x: f32[]", GraphError::kDuplicateName, "line 3, column 7");
    expect_refused(head + "%0 = aten::relu(x)\n%0 = aten::relu(x)", GraphError::kDuplicateName,
                   "line 4, column 1: '%0'");
    expect_refused(head + "%0 = aten::relu(y)", GraphError::kUndefinedValue, "line 3, column 17");
    expect_refused(head + "%0 = aten::relu(%0)", GraphError::kUndefinedValue, "'%0'");
    expect_refused(head + "output y: %4", GraphError::kUndefinedValue, "'%4'");
    expect_refused(head + "%0 = aten::rellu(x)", GraphError::kForbiddenOperator,
                   "did you mean 'aten::relu'");
    expect_refused(head + "%0 = aten::relu(x, x)", GraphError::kBadArguments, "arguments");
    expect_refused(head + "%0, %1 = aten::relu(x)", GraphError::kBadArguments, "results");
    expect_refused(head + "input y: f32[1099511627777]", GraphError::kTooLarge, "elements");
    expect_refused(head + "control c: nan", GraphError::kMalformed, "finite");
}

TEST(TextForm, EveryCutOfATextIsReadOrRefusedWithoutHarm) {
    const std::string text = to_text(*one_of_everything());
    for (std::size_t length = 0; length < text.size(); ++length) {
        const auto read = parse_text(std::string_view(text).substr(0, length));
        // A cut at the end of a line may leave a shorter, valid Program.
        if (read) {
            EXPECT_TRUE(parse_text(to_text(**read)));
        }
    }
}

TEST(TextForm, AMillionBlankLinesAreOneLineEnd) {
    const auto read = parse_text("esper-program 1 \"p\"" + std::string(1'000'000, '\n') + "param");
    ASSERT_FALSE(read);
    EXPECT_NE(read.error().message().find("line 1000001, column 6"), std::string::npos)
        << read.error().message();
}

TEST(TextForm, OnlyPlainWordsStandWithoutQuotes) {
    for (const auto plain : {"x", "0.weight", "layer1.0.conv1.weight", "a-b/c+", "1e999", "_"}) {
        EXPECT_TRUE(is_plain_name(plain)) << plain;
    }
    for (const auto other : {"", "none", "inf", "f32", "contiguous", "0", "1e5", "-x", "+x", "a b",
                             "a:b", "é", "%0", "99999999999999999999", "values"}) {
        EXPECT_FALSE(is_plain_name(other)) << other;
    }
}

TEST(ConstantText, IsDocumentedByExample) {
    EXPECT_EQ(to_string(Constant{}), "none");
    EXPECT_EQ(to_string(Constant{TrainingFlag{}}), "train");
    EXPECT_EQ(to_string(Constant{true}), "true");
    EXPECT_EQ(to_string(Constant{std::int64_t{-3}}), "-3");
    EXPECT_EQ(to_string(Constant{0.1}), "0.1");
    EXPECT_EQ(to_string(Constant{2.0}), "2.0");
    EXPECT_EQ(to_string(Constant{1e20}), "1e+20");
    EXPECT_EQ(to_string(Constant{std::string("a\"b")}), R"("a\"b")");
    EXPECT_EQ(to_string(Constant{std::vector<double>{1, 0.5}}), "[1.0, 0.5]");
    EXPECT_EQ(to_string(Constant{std::vector<bool>{}}), "bools[]");
    EXPECT_EQ(to_string(Constant{DType::kBFloat16}), "bf16");
    EXPECT_EQ(to_string(Constant{MemoryFormat::kChannelsLast}), "channels_last");
}

}  // namespace
}  // namespace esper::graph
