#include "esper/services/nissa/kernel_shelf.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/temporary_folder.h"
#include "urza/small_library.h"

namespace esper::nissa {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

TEST(KernelShelf, SaysWhyThereIsNoLibraryAndMakesNone) {
    const TemporaryFolder above;
    const auto told = KernelShelf(above / "library").all();
    EXPECT_TRUE(told.at("kernels").empty());
    EXPECT_NE(told.at("problem").get<std::string>().find("holds no library"), std::string::npos);
    EXPECT_FALSE(fs::exists(above / "library"));
}

TEST(KernelShelf, TellsVerdictTagsAndWhatMustHoldForARun) {
    testing::SmallLibrary library;
    library.add("good");
    library.add("wrong");
    library.add("new");
    ASSERT_TRUE(library.validate("good", true, 0.5, {"faster"}));
    ASSERT_TRUE(library.validate("wrong", false));
    const auto branch = library.ask().branch;
    library.close();

    const KernelShelf shelf(library.path());
    const auto all = shelf.all().at("kernels");
    ASSERT_EQ(all.size(), 3U);
    const auto find = [](const json& kernels, const std::string& id) {
        for (const auto& kernel : kernels)
            if (kernel.at("id") == id) return kernel;
        return json();
    };
    const auto good = find(all, "good").at("verdict");
    EXPECT_EQ(good.at("passed"), true);
    EXPECT_EQ(good.at("tags"), json({"faster"}));
    EXPECT_EQ(good.at("hardware"), "a machine");
    EXPECT_EQ(good.at("measured").at("latency_ms_mean"), 0.5);
    EXPECT_EQ(find(all, "wrong").at("verdict").at("passed"), false);
    EXPECT_FALSE(find(all, "new").contains("verdict"));

    const json record{{"precision", "fp32"},
                      {"kernels", {{"seeds", {{{"branch", branch}, {"sample", {64}}}}}}}};
    const auto holds = [&](const std::string& id, std::int64_t batch_size) {
        const auto kernel = find(shelf.of_run(record, batch_size).at("kernels"), id);
        bool all_hold = true;
        for (const auto& reason : kernel.at("reasons")) all_hold &= reason.at("holds").get<bool>();
        return all_hold;
    };
    EXPECT_TRUE(holds("good", 32));
    EXPECT_FALSE(holds("good", 100'000));  // more rows than it was tried on
    EXPECT_FALSE(holds("wrong", 32));
    EXPECT_FALSE(holds("new", 32));
}

TEST(KernelShelf, TakesNothingFromARecordThatIsNone) {
    const TemporaryFolder above;
    const KernelShelf shelf(above / "library");
    for (const char* text : {"{}", R"({"kernels":3})",
                             R"({"kernels":{"seeds":[3,{"branch":5},{"branch":"x","sample":7},
          {"branch":"y","sample":["a",1e300]}]}})"}) {
        const auto told = shelf.of_run(json::parse(text), 8);
        EXPECT_TRUE(told.at("kernels").empty()) << text;
    }
}

}  // namespace
}  // namespace esper::nissa
