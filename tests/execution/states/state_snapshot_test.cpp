#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <span>

#include "esper/base/hash.h"
#include "esper/execution/states/state_layout.h"

namespace esper::execution {
namespace {

using enum contracts::SeedState;

StateSnapshot grown_snapshot() {
    StateTable table(3);
    for (SeedState s : {kGerminated, kLoading, kTraining, kGrafting}) {
        EXPECT_TRUE(table.transition({.seed = 1, .to = s, .epoch = 2, .kernel_id = 77}));
    }
    EXPECT_TRUE(table.set_alpha(1, 0.75f));
    EXPECT_TRUE(table.record(1, 0.5f, 12, 3));
    EXPECT_TRUE(table.record_error(2, 3));
    return table.snapshot();
}

/// The bytes with a corrected checksum.
std::string resealed(std::string bytes) {
    const std::uint32_t crc = crc32c(std::as_bytes(std::span(bytes.data(), bytes.size() - 4)));
    std::memcpy(bytes.data() + bytes.size() - 4, &crc, 4);
    return bytes;
}

TEST(StateSnapshot, ColumnsCountsAndErrorsAreThoseOfTheTable) {
    const StateSnapshot s = grown_snapshot();
    EXPECT_EQ(s.kernel_id[1], 77u);
    EXPECT_EQ(s.alpha[1], 0.75f);
    EXPECT_EQ(s.row(1).latency_us, 12u);
}

TEST(StateSnapshot, TheChecksumChangesWithEveryColumn) {
    const StateSnapshot s = grown_snapshot();
    auto differs = [&](auto change) {
        StateSnapshot other = s;
        change(other);
        return other.crc() != s.crc();
    };
    EXPECT_TRUE(differs([](StateSnapshot& o) { o.state[0] = 1; }));
    EXPECT_TRUE(differs([](StateSnapshot& o) { o.flags[0] = 1; }));
    EXPECT_TRUE(differs([](StateSnapshot& o) { o.error_count[0] = 1; }));
    EXPECT_TRUE(differs([](StateSnapshot& o) { o.version[0] = 2; }));
    EXPECT_TRUE(differs([](StateSnapshot& o) { o.last_update_epoch[0] = 1; }));
    EXPECT_TRUE(differs([](StateSnapshot& o) { o.latency_us[0] = 1; }));
    EXPECT_TRUE(differs([](StateSnapshot& o) { o.embargo_until[0] = 1; }));
    EXPECT_TRUE(differs([](StateSnapshot& o) { o.transitions[0] = 1; }));
    EXPECT_TRUE(differs([](StateSnapshot& o) { o.kernel_id[0] = 1; }));
    EXPECT_TRUE(differs([](StateSnapshot& o) { o.alpha[0] = 1; }));
    EXPECT_TRUE(differs([](StateSnapshot& o) { o.health[0] = 1; }));
}

TEST(StateSnapshot, ACheckpointRestoresTheTableRowForRow) {
    const StateSnapshot saved = grown_snapshot();
    const auto read = parse_snapshot(serialise(saved));
    ASSERT_TRUE(read);
    EXPECT_EQ(*read, saved);
    StateTable table(3);
    ASSERT_TRUE(table.transition({.seed = 0, .to = kGerminated, .kernel_id = 5}));
    ASSERT_TRUE(table.restore(*read));
    StateSnapshot restored = table.snapshot();
    restored.version = saved.version;  // versions keep growing; they are not part of the state
    EXPECT_EQ(restored, saved);
    EXPECT_TRUE(table.verify());
    EXPECT_EQ(table.transition({.seed = 1, .to = kStabilization}), kGrafting);
}

TEST(StateSnapshot, ATableOfAnotherSizeRefusesItAndIsNotChanged) {
    StateTable table(4);
    StateSnapshot saved = grown_snapshot();
    EXPECT_TRUE(table.restore(saved).error().is(StateError::kSizeMismatch));
    EXPECT_EQ(table.snapshot().state, std::vector<std::uint8_t>(4));
    saved.resize(4);
    EXPECT_TRUE(table.restore(saved));
    EXPECT_EQ(table.state(3), kDormant);
}

TEST(StateSnapshot, EveryFlippedBitAndEveryShorterFileIsRefused) {
    const std::string good = serialise(grown_snapshot());
    for (std::size_t bit = 0; bit < good.size() * 8; ++bit) {
        std::string bad = good;
        bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << (bit % 8)));
        ASSERT_FALSE(parse_snapshot(bad)) << "bit " << bit;
    }
    for (std::size_t n = 0; n < good.size(); ++n) {
        ASSERT_FALSE(parse_snapshot(std::string_view(good).substr(0, n)));
    }
    EXPECT_FALSE(parse_snapshot(good + "x"));
}

TEST(StateSnapshot, TheReasonOfARefusalIsNamed) {
    const StateSnapshot saved = grown_snapshot();
    const std::string good = serialise(saved);
    std::string changed = good;
    changed[20] = 'x';
    EXPECT_TRUE(parse_snapshot(changed).error().is(StateError::kChecksumMismatch));
    changed = good;
    changed[8] = 2;
    EXPECT_TRUE(parse_snapshot(changed).error().is(StateError::kUnsupportedVersion));
    EXPECT_TRUE(parse_snapshot("nothing").error().is(StateError::kBadSnapshot));
    changed = good;
    changed[12] = 100;
    EXPECT_TRUE(parse_snapshot(resealed(changed)).error().is(StateError::kBadSnapshot));
}

TEST(StateSnapshot, ValuesThatNoTableHoldsAreRefusedEvenWithARightChecksum) {
    auto refused = [](auto change) {
        StateSnapshot s = grown_snapshot();
        change(s);
        const auto r = parse_snapshot(serialise(s));
        return !r && r.error().is(StateError::kBadSnapshot);
    };
    EXPECT_TRUE(refused([](StateSnapshot& s) { s.state[0] = 13; }));
    EXPECT_TRUE(refused([](StateSnapshot& s) { s.version[0] = 1; }));
    EXPECT_TRUE(refused([](StateSnapshot& s) { s.alpha[0] = 1.5f; }));
    EXPECT_TRUE(refused([](StateSnapshot& s) { s.health[0] = std::nanf(""); }));
}

TEST(StateSnapshot, AnEmptyTableHasAForm) {
    const auto read = parse_snapshot(serialise(StateSnapshot{}));
    ASSERT_TRUE(read);
    EXPECT_EQ(read->size(), 0u);
}

}  // namespace
}  // namespace esper::execution
