// After any sequence of edits that removes every seed, the host is the original one again.

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <map>

#include "esper/base/files.h"
#include "esper/program/binary/binary_format.h"
#include "esper/program/edits/edits.h"
#include "esper/program/operators.h"
#include "esper/program/text/text_format.h"
#include "program/random_program.h"

namespace esper::graph {
namespace {

using namespace testing;

ProgramPtr edited(const Program& program, const Edit& edit) {
    auto result = graph::apply(program, edit);
    if (!result) RC_FAIL(result.error().to_string());
    return *result;
}

RC_GTEST_PROP(EditProperties, ComingAndGoingInAnyOrderLeavesNoTrace, ()) {
    const auto host = small_host();
    const auto blueprint = small_blueprint();
    ProgramPtr program = host;
    std::map<std::string, SeedMode> present;
    const int steps = random_number(1, 25);
    for (int i = 0; i < steps; ++i) {
        const int what = random_number(0, 3);
        if (what == 0 || present.empty()) {
            const std::string seed = "s" + std::to_string(i);
            const auto anchor = *rc::gen::element<std::string>("fc1", "fc2");
            program = edited(*program, InsertSeed{seed, anchor, "b", blueprint});
            present[seed] = SeedMode::kIsolated;
            continue;
        }
        const auto at =
            std::next(present.begin(), random_number(0, static_cast<int>(present.size())));
        if (what == 1) {
            const auto next =
                static_cast<SeedMode>((static_cast<int>(at->second) + random_number(1, 3)) % 3);
            program = edited(*program, SetSeedMode{at->first, next});
            at->second = next;
        } else {
            program = edited(*program, RemoveSeed{at->first});
            present.erase(at);
        }
        RC_ASSERT(validate_operators(*program).has_value());
        const auto seeds = seeds_in(*program);
        RC_ASSERT(seeds.size() == present.size());
        for (const auto& seed : seeds) {
            RC_ASSERT(present.at(seed.seed) == seed.mode);
            RC_ASSERT(!seed.anchor.empty());
        }
    }
    while (!present.empty()) {
        const auto at =
            std::next(present.begin(), random_number(0, static_cast<int>(present.size())));
        program = edited(*program, RemoveSeed{at->first});
        present.erase(at);
    }
    RC_ASSERT(to_text(*program) == to_text(*host));
    RC_ASSERT(to_binary(*program) == to_binary(*host));
    RC_ASSERT(program->hash() == host->hash());
}

// Two seeds at different anchors can be inserted in either order, with the same result.
RC_GTEST_PROP(EditProperties, SeedsAtDifferentAnchorsCommute, ()) {
    const InsertSeed a{"a", "fc1", "b", small_blueprint()};
    const InsertSeed b{"b", "fc2", "b", small_blueprint()};
    const auto host = small_host();
    RC_ASSERT(edited(*edited(*host, a), b)->hash() == edited(*edited(*host, b), a)->hash());
}

TEST(ProgramPage, ItsExampleIsAProgramInItsCanonicalForm) {
    const auto page = read_file(std::filesystem::path(ESPER_SOURCE_DIR) / "docs" / "program.md");
    ASSERT_TRUE(page) << page.error().to_string();
    std::string example;
    bool inside = false;
    std::size_t at = 0;
    while (at < page->size()) {
        const auto end = page->find('\n', at);
        const std::string line = page->substr(at, end - at);
        inside = inside ? line.starts_with("    ") : line.starts_with("    esper-program");
        if (inside) example += line.substr(4) + "\n";
        at = end + 1;
    }
    const auto program = from_text(example);
    ASSERT_TRUE(program) << program.error().to_string() << "\n" << example;
    EXPECT_EQ(to_text(**program), example);
}

}  // namespace
}  // namespace esper::graph
