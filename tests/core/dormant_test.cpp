// Sleeping seeds cost nothing: the same operator calls reach libtorch, and the same bytes come out.

#include <ATen/ops/equal.h>
#include <ATen/record_function.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "core/trained_hosts.h"
#include "esper/core/model_wrapper.h"
#include "esper/execution/kasmina/kasmina_layer.h"
#include "esper/program/loss.h"

namespace esper::core {
namespace {

using testing::batch_for;
using testing::small_hosts;

std::vector<std::string>* seen = nullptr;

std::unique_ptr<at::ObserverContext> note(const at::RecordFunction& call) {
    seen->emplace_back(call.name());
    return nullptr;
}

struct Run {
    std::vector<std::string> calls;  ///< that reached the dispatcher, in order
    at::Tensor loss;
    graph::TensorStore store;
};

Run run_counted(const graph::ProgramPtr& program, graph::TensorStore store,
                const std::vector<at::Tensor>& batch) {
    Run run{{}, {}, std::move(store)};
    auto joint = value_or_throw(graph::JointProgram::record(
        {program, true, graph::Precision::kFloat32, {"loss"}, {}, {}, graph::Rewrites::kFast},
        run.store, batch));
    seen = &run.calls;
    const auto handle = at::addThreadLocalCallback(
        at::RecordFunctionCallback(&note).scopes({at::RecordScope::FUNCTION}));
    run.loss = value_or_throw(joint.run(batch)).outputs.front().clone();
    at::removeCallback(handle);
    seen = nullptr;
    return run;
}

TEST(SleepingSeeds, ChangeNeitherTheCallsOfAStepNorAByteOfWhatItWrites) {
    for (const auto& spec : small_hosts()) {
        auto host = value_or_throw(make_host(spec));
        SCOPED_TRACE(host->name());
        auto plain = value_or_throw(with_loss(*host, {}));
        graph::testing::Bench bench(plain);
        const auto batch = batch_for(plain);
        const auto without = run_counted(plain, bench.store.clone(), batch);

        auto model = value_or_throw(wrap(host));
        std::vector<std::string> anchors;
        for (const auto& slot : model.slots) anchors.push_back(model.anchor_of(slot).name);
        auto store = bench.store.clone();
        execution::KasminaLayer seeds(model.program, anchors, store);
        const auto with =
            run_counted(value_or_throw(with_loss(*seeds.program(), {})), store.clone(), batch);
        ASSERT_TRUE(seeds.tick(0.5));

        EXPECT_GT(without.calls.size(), 10U);
        EXPECT_EQ(without.calls, with.calls);
        EXPECT_TRUE(at::equal(without.loss, with.loss));
        ASSERT_EQ(without.store.blocks().size(), with.store.blocks().size());
        for (std::size_t i = 0; i < with.store.blocks().size(); ++i)
            EXPECT_TRUE(at::equal(without.store.blocks()[i]->grad, with.store.blocks()[i]->grad));
        for (const auto& [name, buffer] : without.store.buffers())
            EXPECT_TRUE(at::equal(buffer, with.store.buffers().at(name))) << name;
    }
}

}  // namespace
}  // namespace esper::core
