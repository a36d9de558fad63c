#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "contracts/random_record.h"
#include "esper/contracts/registry.h"

namespace esper::contracts {
namespace {

class EveryContract : public testing::TestWithParam<const RecordInfo*> {
  protected:
    const RecordInfo& info = *GetParam();
};

/// Calls `f` with random records that keep every rule, also those between fields.
template <typename F>
int for_random_records(const RecordInfo& info, F f) {
    int used = 0;
    for (std::uint64_t seed = 0; seed < 4000 && used < 40; ++seed) {
        auto record = make_record(info);
        RandomRecord(seed).fill(info, record.get());
        if (auto v = check_record(info, record.get())) {
            EXPECT_EQ(v->code, ContractError::kInconsistent) << info.name << v->message;
            continue;
        }
        ++used;
        f(record.get());
    }
    return used;
}

TEST_P(EveryContract, SurvivesJsonWithoutLoss) {
    EXPECT_GT(for_random_records(info,
                                 [&](const void* record) {
                                     const auto text = write_json(info, record, info.version);
                                     ASSERT_TRUE(text) << text.error().to_string();
                                     auto back = make_record(info);
                                     const Status s = read_json(info, *text, back.get());
                                     ASSERT_TRUE(s) << s.error().to_string() << *text;
                                     EXPECT_TRUE(info.equal(record, back.get())) << *text;
                                     EXPECT_TRUE(nlohmann::json::accept(*text));
                                 }),
              0);
}

TEST_P(EveryContract, SurvivesTheBinaryFormWithoutLoss) {
    EXPECT_GT(for_random_records(info,
                                 [&](const void* record) {
                                     const auto bytes = write_binary(info, record, info.version);
                                     ASSERT_TRUE(bytes) << bytes.error().to_string();
                                     auto back = make_record(info);
                                     const Status s = read_binary(info, *bytes, back.get());
                                     ASSERT_TRUE(s) << s.error().to_string();
                                     EXPECT_TRUE(info.equal(record, back.get()));
                                     EXPECT_EQ(*write_binary(info, back.get(), info.version),
                                               *bytes);
                                     EXPECT_EQ(*binary_type(*bytes), info.number);
                                 }),
              0);
}

TEST_P(EveryContract, RefusesEveryTruncationAndEveryFlippedBit) {
    auto record = make_record(info);
    for (std::uint64_t seed = 0; seed < 4000; ++seed) {
        record = make_record(info);
        RandomRecord(seed).fill(info, record.get());
        if (!check_record(info, record.get())) break;
    }
    const std::string bytes = *write_binary(info, record.get(), info.version);
    auto sink = make_record(info);
    for (std::size_t n = 0; n < bytes.size(); ++n) {
        EXPECT_FALSE(read_binary(info, bytes.substr(0, n), sink.get()));
    }
    for (std::size_t bit = 0; bit < bytes.size() * 8; bit += 5) {
        std::string flipped = bytes;
        flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
        EXPECT_FALSE(read_binary(info, flipped, sink.get()));
    }
    const std::string json = *write_json(info, record.get(), info.version);
    for (std::size_t n = 0; n < json.size(); ++n) {
        auto fresh = make_record(info);
        EXPECT_FALSE(read_json(info, json.substr(0, n), fresh.get())) << json.substr(0, n);
    }
}

TEST_P(EveryContract, RefusesAnUnknownFieldWhereverItStands) {
    auto record = make_record(info);
    for (std::uint64_t seed = 0; seed < 4000; ++seed) {
        record = make_record(info);
        RandomRecord(seed).fill(info, record.get());
        if (!check_record(info, record.get())) break;
    }
    auto json = nlohmann::ordered_json::parse(*write_json(info, record.get(), info.version));
    json["surprise"] = 1;
    auto sink = make_record(info);
    const Status s = read_json(info, json.dump(), sink.get());
    ASSERT_FALSE(s);
    EXPECT_TRUE(s.error().is(ContractError::kUnknownField)) << s.error().to_string();
    EXPECT_NE(s.error().message().find("surprise"), std::string::npos);
}

TEST_P(EveryContract, RefusesTextWithoutItsRequiredFields) {
    bool any_required = false;
    for (const FieldInfo& field : info.fields) any_required |= field.rule.required;
    auto sink = make_record(info);
    const Status s = read_json(info, "{}", sink.get());
    EXPECT_EQ(s.has_value(), !any_required);
    if (!s) {
        EXPECT_TRUE(s.error().is(ContractError::kMissingField));
    }
}

TEST_P(EveryContract, PrintsItsNameAndFields) {
    auto record = make_record(info);
    RandomRecord(3).fill(info, record.get());
    const std::string text = print_record(info, record.get());
    EXPECT_TRUE(text.starts_with(std::string(info.name) + "{")) << text;
    for (const FieldInfo& field : info.fields) {
        if (field.type->kind == Kind::kOptional) continue;
        EXPECT_NE(text.find(std::string(field.name) + "="), std::string::npos) << text;
    }
}

INSTANTIATE_TEST_SUITE_P(All, EveryContract,
                         testing::ValuesIn(all_contracts().begin(), all_contracts().end()),
                         [](const auto& p) { return std::string(p.param->name); });

}  // namespace
}  // namespace esper::contracts
