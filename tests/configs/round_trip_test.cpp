// The printed form of any configuration reads back as the same configuration.

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <cstdio>
#include <string>
#include <vector>

#include "esper/base/random.h"
#include "esper/configs/load.h"
#include "esper/configs/schema.h"
#include "esper/configs/source_yaml.h"
#include "esper/configs/yaml.h"

namespace esper::configs {
namespace {

/// Random values for a key. Its rule refuses some of them; then `read` returns an error.
class AnyValue {
  public:
    explicit AnyValue(std::uint64_t seed) : random_(seed, "configs round trip") {}

    std::vector<std::string> draw(const Key& key) {
        switch (key.type->kind()) {
            case ValueKind::kBool:
                return {random_.below(2) == 0 ? "true" : "false"};
            case ValueKind::kInteger:
                return {std::to_string(random_.next_u64() >> random_.below(64))};
            case ValueKind::kNumber:
                return {number()};
            case ValueKind::kText:
            case ValueKind::kSecret:
                return {random_.below(2) == 0 ? text() : word()};
            case ValueKind::kChoice: {
                const auto choices = key.type->choices();
                return {choices[random_.below(choices.size())]};
            }
            case ValueKind::kDuration: {
                constexpr std::array<const char*, 8> units{"ep", "ba", "%", "ms",
                                                           "s",  "m",  "h", "d"};
                const double value = random_.uniform(0, 40);
                return {std::to_string(random_.below(2) == 0 ? std::floor(value) : value) +
                        units[random_.below(units.size())]};
            }
            case ValueKind::kNames: {
                std::vector<std::string> names(random_.below(4));
                for (auto& name : names) name = word();
                return names;
            }
            case ValueKind::kPair:
                return {number(), number()};
            case ValueKind::kClassWeights:
                if (random_.below(3) == 0) return {"balanced"};
                return {number(), number(), number()};
        }
        return {};
    }

  private:
    std::string number() {
        const double scale = std::pow(10.0, random_.uniform(-12, 3));
        std::array<char, 64> buffer{};
        const int n =
            std::snprintf(buffer.data(), buffer.size(), "%.17g", random_.uniform() * scale);
        return {buffer.data(), static_cast<std::size_t>(n)};
    }
    std::string word() {
        constexpr std::string_view letters = "abcXYZ019_-.*?";
        return pick(letters, 1);
    }
    std::string text() {
        constexpr std::string_view letters = "ab:#'\"\\{}[],&*!|>%@`~-? =0.eE\xc3\xa4/+ynN";
        std::string out = pick(letters, 0);
        std::erase(out, '\xc3');
        std::erase(out, '\xa4');
        return random_.below(4) == 0 ? out + "ä" : out;
    }
    std::string pick(std::string_view letters, std::size_t least) {
        std::string out(least + random_.below(12), ' ');
        for (char& c : out) c = letters[random_.below(letters.size())];
        return out;
    }

    RandomStream random_;
};

EsperConfig any_config(std::uint64_t seed) {
    AnyValue any(seed);
    const Schema& schema = Schema::instance();
    EsperConfig config;
    for (std::size_t index = 0; index < schema.keys().size(); ++index) {
        const Key& key = schema[index];
        if (key.is_section()) continue;
        for (int attempt = 0; attempt < 8; ++attempt) {
            const auto texts = any.draw(key);
            const std::vector<std::string_view> items(texts.begin(), texts.end());
            if (key.type->read(items, key.rule, schema.locate(config, index))) break;
        }
    }
    return config;
}

TEST(RoundTrip, AnyConfigurationReadsBackTheSame) {
    int changed = 0;
    for (std::uint64_t seed = 0; seed < 300; ++seed) {
        const EsperConfig config = any_config(seed);
        const std::string yaml = to_yaml(config, MaskSecrets::kNo);
        // Relations between keys do not hold in a random configuration, so only reading is tested.
        Problems problems;
        const auto document = read_yaml(yaml, "any.yaml", problems);
        ASSERT_TRUE(document) << problems.report().message() << "\n" << yaml;
        Assignment assignment;
        apply_yaml(*document, "any.yaml", assignment);
        ASSERT_TRUE(assignment.problems().empty())
            << assignment.problems().report().message() << "\n"
            << yaml;
        const auto different = differences(config, assignment.config());
        ASSERT_TRUE(different.empty())
            << different[0].path << ": " << different[0].before << " | " << different[0].after;
        ASSERT_EQ(config, assignment.config());
        changed += static_cast<int>(differences(config, EsperConfig{}).size());
    }
    // Most keys must have changed, or the test would only cover defaults.
    EXPECT_GT(changed, 300 * 100);
}

TEST(RoundTrip, TextsThatLookLikeSomethingElseStayTexts) {
    for (const std::string text :
         {"",    "null", "~",    "true", "No",  "1",    "1e3", "-",  "- a", "a: b",
          "# a", " a ",  "0x10", "[a]",  "{a}", "a #b", "'",   "\"", "\\n", "*a",
          "&a",  "!a",   "%a",   "@a",   "|",   ">",    "?",   "ä",  "a:",  ".5"}) {
        EsperConfig config;
        config.data.path = text;
        const auto read = parse_config(to_yaml(config), "x",
                                       {.overrides = {"data.kind=drawn", "model.host=mlp"}});
        ASSERT_TRUE(read) << read.error().message();
        EXPECT_EQ(read->config.data.path, text);
    }
}

TEST(RoundTrip, ControlCharactersArePrintedVisibly) {
    EsperConfig config;
    config.data.path = "a\nb\x7f";
    EXPECT_NE(to_yaml(config).find("path: \"a\\x0ab\\x7f\""), std::string::npos);
}

TEST(RoundTrip, DifferencesNameKeyAndBothValues) {
    EsperConfig changed;
    changed.growth.gate.delta = 0.1;
    changed.storage.s3.secret_key = Secret("x");
    const auto found = differences(EsperConfig{}, changed);
    ASSERT_EQ(found.size(), 2u);
    EXPECT_EQ(found[0].path, "growth.gate.delta");
    EXPECT_EQ(found[0].before, "0.05");
    EXPECT_EQ(found[0].after, "0.1");
    EXPECT_EQ(found[1].before, "\"\"");
    EXPECT_EQ(found[1].after, "\"***\"");
}

}  // namespace
}  // namespace esper::configs
