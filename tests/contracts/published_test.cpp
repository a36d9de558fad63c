// Published bytes must not change: golden files of each schema version, and the schemas under docs.
// ESPER_UPDATE_GOLDEN=1 writes missing golden files and rewrites the schemas; it never rewrites a
// golden file.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "contracts/random_record.h"
#include "esper/base/files.h"
#include "esper/contracts/json_schema.h"
#include "esper/contracts/registry.h"
#include "esper/contracts/telemetry_record.h"

namespace esper::contracts {
namespace {

const std::filesystem::path kSource = ESPER_SOURCE_DIR;
const bool kUpdate = std::getenv("ESPER_UPDATE_GOLDEN") != nullptr;

std::filesystem::path golden(std::uint16_t version, std::string_view file) {
    return kSource / "tests/contracts/golden" / ("v" + std::to_string(version)) / file;
}

/// Creates the file if it is missing and the update was requested; returns its content.
std::string published(const std::filesystem::path& path, const std::string& now, bool rewrite) {
    if (kUpdate && (rewrite || !std::filesystem::exists(path))) {
        std::filesystem::create_directories(path.parent_path());
        EXPECT_TRUE(write_file_atomic(path, now));
    }
    const auto content = read_file(path);
    EXPECT_TRUE(content) << path << " is missing; run the test with ESPER_UPDATE_GOLDEN=1";
    return content.value_or("");
}

class Published : public testing::TestWithParam<const RecordInfo*> {
  protected:
    const RecordInfo& info = *GetParam();
};

TEST_P(Published, GoldenBytesOfEveryVersionAreStillReadAndWritten) {
    for (std::uint16_t version = 1; version <= info.version; ++version) {
        auto sample = make_record(info);
        for (std::uint64_t seed = 7000;; ++seed) {
            sample = make_record(info);
            RandomRecord(seed).fill(info, sample.get());
            if (!check_record(info, sample.get())) break;
        }
        const auto json = write_json(info, sample.get(), version);
        const auto bytes = write_binary(info, sample.get(), version);
        const std::string name(info.name);
        const std::string golden_json =
            published(golden(version, name + ".json"), json.value_or(""), false);
        const std::string golden_bytes =
            published(golden(version, name + ".bin"), bytes.value_or(""), false);

        auto from_text = make_record(info);
        auto from_bytes = make_record(info);
        const Status text_status = read_json(info, golden_json, from_text.get());
        ASSERT_TRUE(text_status) << text_status.error().to_string();
        const Status byte_status = read_binary(info, golden_bytes, from_bytes.get());
        ASSERT_TRUE(byte_status) << byte_status.error().to_string();
        EXPECT_TRUE(info.equal(from_text.get(), from_bytes.get()));
        EXPECT_EQ(*write_json(info, from_text.get(), version), golden_json);
        EXPECT_EQ(*write_binary(info, from_bytes.get(), version), golden_bytes);
    }
}

TEST_P(Published, TheSchemaUnderDocsIsCurrent) {
    const std::string now = json_schema(info);
    EXPECT_EQ(published(kSource / "docs/schemas" / (std::string(info.name) + ".json"), now, true),
              now)
        << "run the test with ESPER_UPDATE_GOLDEN=1 and commit docs/schemas";
}

INSTANTIATE_TEST_SUITE_P(All, Published,
                         testing::ValuesIn(all_contracts().begin(), all_contracts().end()),
                         [](const auto& p) { return std::string(p.param->name); });

TEST(PublishedTelemetry, TheGoldenRecordOfVersionOneIsStillReadAndWritten) {
    TelemetryRecord r;
    r.epoch = 3;
    r.sequence = 0x0102030405060708;
    r.utc_ns = 1'764'000'000'123'456'789;
    r.layer_index = 5;
    r.state = SeedState::kGrafting;
    r.alpha = 0.25F;
    r.health_score = 0.875F;
    std::string bytes(kTelemetryBytes, '\0');
    encode(r, TelemetryBytes(reinterpret_cast<std::byte*>(bytes.data()), kTelemetryBytes));
    const std::string stored = published(golden(1, "TelemetryRecord.bin"), bytes, false);
    EXPECT_EQ(stored, bytes);
    const auto back = decode_telemetry(std::as_bytes(std::span(stored)));
    ASSERT_TRUE(back);
    EXPECT_EQ(back->sequence, r.sequence);
    EXPECT_EQ(back->state, SeedState::kGrafting);
}

}  // namespace
}  // namespace esper::contracts
