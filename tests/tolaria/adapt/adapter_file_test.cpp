#include "esper/services/tolaria/adapt/adapter_file.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/temporary_folder.h"
#include "esper/base/files.h"
#include "esper/base/own_file.h"
#include "esper/core/hosts/host.h"
#include "esper/exchange/exporters/safetensors.h"
#include "esper/services/tolaria/adapt/adapter_folder.h"

namespace esper::tolaria {
namespace {

namespace fs = std::filesystem;

struct Host {
    graph::ProgramPtr program;
    graph::TensorStore store;

    explicit Host(std::uint64_t seed = 1) : store({seed, false}) {
        core::HostSpec spec;
        spec.kind = "gpt";
        spec.depth = 2;
        spec.width = 8;
        spec.heads = 2;
        spec.context = 6;
        spec.classes = 11;
        program = value_or_throw(core::make_host(spec));
        value_or_throw(store.add(*program, "host"));
    }
};

AdapterFile adapter_of(const Host& host) {
    AdapterFile adapter;
    adapter.name = "verse";
    adapter.purpose = "a test";
    adapter.part = {"blocks.1", graph::AnchorKind::kTokens, 8, "wide_mlp", 4};
    adapter.host = value_or_throw(identity_of(*host.program, host.store));
    adapter.losses = {{"new", 1.5}, {"new, host", 2.5}};
    at::manual_seed(3);
    adapter.tensors = {{"up.weight", at::randn({4, 8})}, {"readout.weight", at::randn({8, 4})}};
    return adapter;
}

TEST(AdapterFile, ReadsBackAsWritten) {
    TemporaryFolder folder;
    const Host host;
    const auto adapter = adapter_of(host);
    ASSERT_TRUE(write_adapter(folder / "a.esper", adapter));
    const auto back = value_or_throw(read_adapter(folder / "a.esper"));
    EXPECT_EQ(back.name, "verse");
    EXPECT_EQ(back.purpose, "a test");
    EXPECT_EQ(back.part, adapter.part);
    EXPECT_EQ(back.losses, adapter.losses);
    EXPECT_TRUE(back.classes.empty());
    EXPECT_TRUE(check_host(back, adapter.host));
    for (const auto& [name, tensor] : adapter.tensors)
        EXPECT_TRUE(at::equal(back.tensors.at(name), tensor)) << name;
}

TEST(AdapterFile, SaysWhatTheOutputsStandForWhereThatIsNotWhatTheHostsDo) {
    TemporaryFolder folder;
    const Host host;
    auto adapter = adapter_of(host);
    adapter.classes = {"cat", "\xC3\xA9l\xC3\xA9phant"};
    ASSERT_TRUE(write_adapter(folder / "a.esper", adapter));
    EXPECT_EQ(value_or_throw(read_adapter(folder / "a.esper")).classes, adapter.classes);
}

TEST(AdapterFile, ThatNamesOtherThanEachOutputIsRefusedByItsHost) {
    Host host;
    auto adapter = adapter_of(host);
    for (const auto& classes :
         {std::vector<std::string>{"a"}, std::vector<std::string>(11, "x"),
          std::vector<std::string>{"a", "b", "c", "d", "e", "f", "g", "h", "i", "j", ""}}) {
        adapter.classes = classes;
        const auto refused = put_on(adapter, *host.program, host.store);
        ASSERT_FALSE(refused);
        EXPECT_TRUE(refused.error().is(AdaptError::kBadAdapter)) << refused.error().to_string();
        EXPECT_NE(refused.error().message().find("11 outputs"), std::string::npos);
    }
}

TEST(AdapterFile, OnItsHostAddsItsTensorsAndNothingElse) {
    Host host;
    const auto adapter = adapter_of(host);
    const auto before = host.store.clone();
    const auto adapted = value_or_throw(put_on(adapter, *host.program, host.store));
    EXPECT_EQ(adapted->parameter_count(),
              host.program->parameter_count() + adapter.part.parameters());
    EXPECT_TRUE(at::equal(value_or_throw(host.store.find("seed.adapter.up.weight")),
                          adapter.tensors.at("up.weight")));
    for (const auto& p : host.program->parameters())
        EXPECT_TRUE(at::equal(value_or_throw(host.store.find(p.name)),
                              value_or_throw(before.find(p.name))));
}

TEST(AdapterFile, AnotherHostIsRefusedWithTheTensorThatDiffers) {
    const Host host;
    Host other;
    value_or_throw(other.store.find("blocks.0.ln1.weight")).mul_(1.001);
    const auto refused = put_on(adapter_of(host), *other.program, other.store);
    ASSERT_FALSE(refused);
    EXPECT_TRUE(refused.error().is(AdaptError::kOtherHost));
    EXPECT_NE(refused.error().message().find("blocks.0.ln1.weight"), std::string::npos)
        << refused.error().message();
    EXPECT_EQ(other.store.find_parameter("seed.adapter.up.weight"), nullptr);
    auto changed = adapter_of(host);
    changed.host.host[0] = changed.host.host[0] == '0' ? '1' : '0';
    Host same;
    const auto hash = put_on(changed, *same.program, same.store);
    ASSERT_FALSE(hash);
    EXPECT_NE(hash.error().message().find("'host' is not the hash"), std::string::npos)
        << hash.error().message();
}

using Change = std::function<void(graph::Safetensors&)>;

Change said(const std::string& key, const std::string& value) {
    return [=](graph::Safetensors& content) { content.metadata[key] = value; };
}

Change part_with(const std::string& key, const nlohmann::json& value) {
    return [=](graph::Safetensors& content) {
        auto parts = nlohmann::json::parse(content.metadata.at("parts"));
        parts[0][key] = value;
        content.metadata["parts"] = parts.dump();
    };
}

TEST(AdapterFile, WhatIsNoAdapterIsRefused) {
    const std::pair<const char*, Change> cases[] = {
        {"metadata", said("format", "evil.v1")},
        {"metadata", said("code", "import os")},
        {"metadata", [](auto& c) { c.metadata.erase("host"); }},
        {"name", said("name", "../../x")},
        {"purpose", said("purpose", "\x1b[2J")},
        {"module of Python", said("host_class", "Gpt")},
        {"SHA-256", said("host", std::string(64, 'x'))},
        {"digests", said("host_tensors", "zz")},
        {"parts", said("parts", "{}")},
        {"parts", said("parts", std::string(200, '['))},
        {"other keys", part_with("init", "__import__('os')")},
        {"short text", part_with("anchor", "\n")},
        {"module of Python", part_with("layout", "channels last")},
        {"kind", part_with("kind", "sound")},
        {"blueprint", part_with("blueprint", "wide_conv")},
        {"width", part_with("width", std::int64_t{1} << 40)},
        {"width", part_with("width", "8")},
        {"hash", part_with("width", 5)},
        {"losses", said("losses", R"({"new": "x"})")},
        {"classes", said("classes", "{}")},
        {"classes", said("classes", "[1]")},
        {"classes", said("classes", std::string(200, '['))},
        {"tensors", [](auto& c) { c.tensors["part1.more"] = at::zeros({2}); }},
        {"lacks",
         [](auto& c) {
             c.tensors["part1.more"] = c.tensors.at("part1.up.weight");
             c.tensors.erase("part1.up.weight");
         }},
        {"shape",
         [](auto& c) {
             c.tensors["part1.up.weight"] = at::zeros({2, 8});
         }},
        {"type", [](auto& c) { c.tensors["part1.up.weight"] = at::zeros({4, 8}, at::kDouble); }},
        {"not finite", [](auto& c) { c.tensors["part1.up.weight"].fill_(1.0 / 0.0); }}};
    TemporaryFolder folder;
    const Host host;
    ASSERT_TRUE(write_adapter(folder / "good.esper", adapter_of(host)));
    for (const auto& [expected, change] : cases) {
        auto content = value_or_throw(graph::read_safetensors(folder / "good.esper"));
        change(content);
        ASSERT_TRUE(graph::write_safetensors(folder / "bad.esper", content));
        const auto refused = read_adapter(folder / "bad.esper");
        ASSERT_FALSE(refused) << expected;
        EXPECT_TRUE(refused.error().is(AdaptError::kBadAdapter)) << refused.error().to_string();
        EXPECT_NE(refused.error().message().find(expected), std::string::npos)
            << expected << ": " << refused.error().message();
    }
}

TEST(AdapterFile, WhoseAnchorHasOtherFeaturesIsRefusedByItsHost) {
    Host host;
    auto adapter = adapter_of(host);
    adapter.part.features = 1;  // its tensors could be broadcast into the host's
    const auto refused = put_on(adapter, *host.program, host.store);
    ASSERT_FALSE(refused);
    EXPECT_TRUE(refused.error().is(AdaptError::kBadAdapter));
}

TEST(AdapterFolder, HoldsAdaptersByName) {
    TemporaryFolder run;
    const Host host;
    const AdapterFolder folder(run.path());
    EXPECT_TRUE(value_or_throw(folder.all()).empty());
    const auto file = value_or_throw(folder.add(adapter_of(host)));
    EXPECT_EQ(file, run / "adapters/verse.esper");
    EXPECT_EQ(value_or_throw(folder.all()).size(), 1U);
    EXPECT_EQ(value_or_throw(folder.find("verse")).part.width, 4);
    EXPECT_EQ(value_or_throw(folder.find(file.string())).name, "verse");
    const auto again = folder.add(adapter_of(host));
    ASSERT_FALSE(again);
    EXPECT_TRUE(again.error().is(AdaptError::kNameTaken));
    const auto missing = folder.find("vers");
    ASSERT_FALSE(missing);
    EXPECT_TRUE(missing.error().is(AdaptError::kNoSuchAdapter));
    EXPECT_NE(missing.error().message().find("did you mean 'verse'"), std::string::npos);
    EXPECT_TRUE(folder.remove("verse"));
    EXPECT_FALSE(folder.remove("verse"));
    EXPECT_FALSE(folder.remove("../adapters/verse"));
}

TEST(AdapterFolder, IsNotFollowedWhereItIsALink) {
    TemporaryFolder run;
    TemporaryFolder elsewhere;
    fs::create_directory_symlink(elsewhere.path(), run / "adapters");
    const Host host;
    const auto refused = AdapterFolder(run.path()).add(adapter_of(host));
    ASSERT_FALSE(refused);
    EXPECT_TRUE(refused.error().is(OwnFileError::kSymbolicLink));
    EXPECT_TRUE(fs::is_empty(elsewhere.path()));
}

}  // namespace
}  // namespace esper::tolaria
