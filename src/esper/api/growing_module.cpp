#include "esper/growing_module.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/full.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <filesystem>
#include <map>
#include <optional>

#include "esper/base/files.h"
#include "esper/base/text.h"
#include "esper/blueprints/catalogue.h"
#include "esper/core/model_wrapper.h"
#include "esper/engine/interpreter.h"
#include "esper/exchange/exporters/pytorch_code.h"
#include "esper/exchange/importers/module_recorder.h"
#include "esper/execution/kasmina/kasmina_layer.h"
#include "esper/program/anchor_types.h"
#include "esper/program/edits/seed_names.h"

namespace esper {

using execution::SeedState;
using graph::ProgramPtr;

namespace {

std::string signature_of(bool training, const std::vector<at::Tensor>& inputs) {
    std::string text = training ? "train" : "eval";
    for (const auto& input : inputs)
        text += fmt::format(" {}[{}]", c10::toString(input.scalar_type()),
                            fmt::join(input.sizes(), ","));
    return text;
}

void check(const Status& status) { value_or_throw(Result<void>(status)); }

}  // namespace

struct GrowingModule::Impl {
    /// The host's Program for one mode and input signature, with the seeds' edits applied.
    struct Recorded {
        ProgramPtr program;
        std::size_t edits = 0;
        std::optional<graph::Interpreter> training;
        std::optional<graph::Interpreter> evaluation;
    };

    ModuleView module;
    std::optional<graph::ImportedModel> imported;
    bool imported_trains = true;
    graph::TensorStore store{graph::TensorStore::Options{}};
    std::optional<execution::KasminaLayer> kasmina;
    std::string summary;
    std::vector<graph::Edit> edits;
    std::map<std::string, Recorded> recorded;
    /// Constants of all recordings.
    std::map<std::string, at::Tensor, std::less<>> constants;
    std::int64_t step = 0;

    bool training() const { return imported ? imported_trains : module.is_training(); }

    void start(const ProgramPtr& host, const WrapOptions& options) {
        auto wrapped = value_or_throw(core::wrap(host, {options.anchors, {}, 1}));
        summary = wrapped.summary();
        std::vector<std::string> names;
        for (const auto& slot : wrapped.slots) names.push_back(wrapped.anchor_of(slot).name);
        store = graph::TensorStore({options.seed, false});
        kasmina.emplace(host, std::move(names), store);
        kasmina->on_edit(
            [this](const graph::Edit& edit, const graph::Program&, const std::string&) {
                edits.push_back(edit);
                return Status{};
            });
    }

    void keep_controls(const graph::Program& program) {
        for (const auto& control : program.controls())
            constants.emplace(control.name, at::full({}, control.initial, at::kFloat));
    }

    ProgramPtr record(const std::vector<at::Tensor>& inputs) {
        graph::RecordedForward forward;
        forward.name = module.name;
        forward.parameters = module.parameters();
        forward.buffers = module.buffers();
        forward.forward = module.forward;
        forward.constants = fmt::format("constant.{}.", recorded.size());
        auto model = value_or_throw(graph::record_forward(forward, inputs));
        for (const auto& [name, tensor] : model.tensors)
            if (name.starts_with(forward.constants)) constants.emplace(name, tensor);
        keep_controls(*model.program);
        return model.program;
    }

    // The Program for these inputs, with the seeds' latest edits applied.
    Recorded& find(const std::vector<at::Tensor>& inputs) {
        const auto key = imported ? std::string("imported") : signature_of(training(), inputs);
        auto it = recorded.find(key);
        if (it == recorded.end()) {
            Recorded fresh;
            fresh.program = imported ? imported->program : record(inputs);
            it = recorded.emplace(key, std::move(fresh)).first;
        }
        auto& found = it->second;
        for (; found.edits < edits.size(); ++found.edits) {
            found.program = value_or_throw(graph::apply(*found.program, edits[found.edits]));
            found.training.reset();
            found.evaluation.reset();
        }
        return found;
    }

    graph::Interpreter::Bindings bind(const graph::Program& program,
                                      const std::vector<at::Tensor>& inputs) const {
        std::map<std::string, at::Tensor, std::less<>> own;
        if (!imported) {
            for (auto& [name, tensor] : module.parameters()) own.emplace(name, tensor);
            for (auto& [name, tensor] : module.buffers()) own.emplace(name, tensor);
        }
        const auto find = [&](const std::string& name) {
            if (auto it = own.find(name); it != own.end()) return it->second;
            if (imported)
                if (auto it = imported->tensors.find(name); it != imported->tensors.end())
                    return it->second;
            if (auto it = constants.find(name); it != constants.end()) return it->second;
            return value_or_throw(store.find(name));
        };
        graph::Interpreter::Bindings bindings;
        for (const auto& p : program.parameters()) bindings.parameters.push_back(find(p.name));
        for (const auto& b : program.buffers()) bindings.buffers.push_back(find(b.name));
        for (const auto& c : program.controls()) bindings.controls.push_back(find(c.name));
        bindings.inputs = inputs;
        return bindings;
    }

    std::uint32_t slot(const std::string& anchor) const {
        std::vector<std::string> names;
        for (const auto& s : kasmina->slots()) {
            if (s.anchor == anchor) return s.index;
            names.push_back(s.anchor);
        }
        value_or_throw(Result<void>(
            fail(graph::GraphError::kUnknownName,
                 fmt::format("no anchor {} was wrapped; there are: {}",
                             quote_with_suggestion(anchor, names), join(names, ", ")))));
        return 0;
    }
    const graph::Anchor& anchor(const std::string& name) const {
        return *kasmina->program()->find_anchor(kasmina->slots()[slot(name)].anchor);
    }

    std::vector<at::Tensor> block(const std::string& seed) const {
        std::vector<at::Tensor> tensors;
        if (const auto found = store.find_block(graph::seed_scope(seed)))
            for (const auto& entry : found->entries) tensors.push_back(entry.value);
        return tensors;
    }
};

GrowingModule::GrowingModule(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
GrowingModule::~GrowingModule() = default;
GrowingModule::GrowingModule(GrowingModule&&) noexcept = default;
GrowingModule& GrowingModule::operator=(GrowingModule&&) noexcept = default;

GrowingModule::GrowingModule(ModuleView module, const std::vector<at::Tensor>& example,
                             const WrapOptions& options)
    : impl_(std::make_unique<Impl>()) {
    impl_->module = std::move(module);
    impl_->start(impl_->find(example).program, options);
}

GrowingModule GrowingModule::from_pt2(const std::string& path, const WrapOptions& options) {
    auto impl = std::make_unique<Impl>();
    impl->imported = value_or_throw(graph::import_pt2(std::filesystem::path(path)));
    for (const auto& p : impl->imported->program->parameters())
        impl->imported->tensors.at(p.name).requires_grad_(p.trainable);
    impl->keep_controls(*impl->imported->program);
    impl->start(impl->imported->program, options);
    return GrowingModule(std::move(impl));
}

std::string GrowingModule::summary() const { return impl_->summary; }

std::vector<AnchorInfo> GrowingModule::anchors() const {
    std::vector<AnchorInfo> found;
    for (const auto& slot : impl_->kasmina->slots()) {
        const auto& anchor = *impl_->kasmina->program()->find_anchor(slot.anchor);
        found.push_back(
            {slot.anchor, std::string(graph::anchor_kind_name(anchor.kind)), anchor.features,
             std::string(contracts::to_text(impl_->kasmina->state(slot.index))), slot.seed});
    }
    return found;
}

std::vector<std::string> GrowingModule::blueprints(const std::string& anchor) const {
    return blueprints::blueprint_names(impl_->anchor(anchor).kind);
}

std::vector<at::Tensor> GrowingModule::forward(const std::vector<at::Tensor>& inputs) {
    auto& recorded = impl_->find(inputs);
    const bool training = impl_->training();
    auto& interpreter = training ? recorded.training : recorded.evaluation;
    if (!interpreter)
        interpreter = value_or_throw(graph::Interpreter::make(recorded.program, training));
    return value_or_throw(interpreter->run(impl_->bind(*recorded.program, inputs)));
}

void GrowingModule::set_training(bool training) {
    if (!impl_->imported)
        value_or_throw(Result<void>(
            fail(graph::GraphError::kIllegalEdit,
                 "a wrapped module has its own mode; call train() or eval() on the module")));
    impl_->imported_trains = training;
}

ModuleView::Named GrowingModule::seed_parameters() const {
    ModuleView::Named named;
    for (const auto& block : impl_->store.blocks())
        for (const auto& entry : block->entries) named.emplace_back(entry.name, entry.value);
    return named;
}

ModuleView::Named GrowingModule::parameters() const {
    ModuleView::Named named;
    if (impl_->imported)
        for (const auto& p : impl_->imported->program->parameters())
            named.emplace_back(p.name, impl_->imported->tensors.at(p.name));
    else
        named = impl_->module.parameters();
    for (auto& item : seed_parameters()) named.push_back(std::move(item));
    return named;
}

std::vector<at::Tensor> GrowingModule::germinate(const std::string& anchor,
                                                 const std::string& blueprint) {
    auto& m = *impl_;
    const auto index = m.slot(anchor);
    if (m.kasmina->state(index) == SeedState::kCulled) check(m.kasmina->wake(index, {m.step, 0}));
    const auto& program = *m.kasmina->program();
    const auto types = value_or_throw(graph::anchor_types(program));
    const auto* at_anchor = program.find_anchor(anchor);
    auto type = types[static_cast<std::size_t>(at_anchor - program.anchors().data())];
    // A recorded Program has one batch size; a seed accepts any.
    if (!type.shape.empty()) type.shape[0] = -1;
    const auto made = value_or_throw(blueprints::make_blueprint(blueprint, *at_anchor, type));
    const auto seed = m.kasmina->next_seed();
    check(m.kasmina->germinate(index, made.name, made.program, made.has_parameters, {m.step, 0},
                               "asked for"));
    auto tensors = m.block(seed);
    for (auto& tensor : tensors) tensor.requires_grad_(true);
    return tensors;
}

void GrowingModule::graft(const std::string& anchor, std::int64_t ramp_steps) {
    check(impl_->kasmina->graft(impl_->slot(anchor), contracts::GraftingStrategy::kSmoothstep,
                                ramp_steps, {impl_->step, 0}, "asked for"));
}

void GrowingModule::tick(double loss) {
    ++impl_->step;
    check(impl_->kasmina->tick(loss));
    if (auto it = impl_->constants.find("dropout.step"); it != impl_->constants.end())
        it->second.fill_(static_cast<double>(impl_->step));
}

void GrowingModule::advance(const std::string& anchor) {
    const auto index = impl_->slot(anchor);
    const auto state = impl_->kasmina->state(index);
    const auto next = state == SeedState::kGrafting        ? SeedState::kStabilization
                      : state == SeedState::kStabilization ? SeedState::kEvaluating
                                                           : SeedState::kFineTuning;
    check(impl_->kasmina->advance(index, next, {impl_->step, 0}));
}

void GrowingModule::fossilize(const std::string& anchor) {
    check(impl_->kasmina->fossilize(impl_->slot(anchor), {impl_->step, 0}, "asked for"));
}

void GrowingModule::cull(const std::string& anchor) {
    check(impl_->kasmina->cull(impl_->slot(anchor), 0, {impl_->step, 0}, "asked for"));
}

void GrowingModule::set_alpha(const std::string& anchor, double alpha) {
    check(impl_->kasmina->set_alpha(impl_->slot(anchor), alpha));
}

std::string GrowingModule::program_sha256() const {
    return impl_->kasmina->program()->hash().hex();
}

void GrowingModule::export_to(const std::string& folder) const {
    const auto& program = *impl_->kasmina->program();
    const auto bindings = impl_->bind(program, {});
    graph::Safetensors content;
    for (std::size_t i = 0; i < program.parameters().size(); ++i)
        content.tensors.emplace(program.parameters()[i].name, bindings.parameters[i].detach());
    for (std::size_t i = 0; i < program.buffers().size(); ++i)
        content.tensors.emplace(program.buffers()[i].name, bindings.buffers[i].detach());
    for (std::size_t i = 0; i < program.controls().size(); ++i)
        content.tensors.emplace(program.controls()[i].name, bindings.controls[i].detach());
    content.metadata["format"] = "pt";
    content.metadata["program_sha256"] = program.hash().hex();
    const auto code = value_or_throw(graph::pytorch_code(program));
    std::error_code error;
    std::filesystem::create_directories(folder, error);
    check(graph::write_safetensors(std::filesystem::path(folder) / "model.safetensors", content));
    check(write_file_atomic(std::filesystem::path(folder) / "model.py", code));
}

}  // namespace esper
