#include <torch/csrc/utils/pybind.h>

#include <nlohmann/json.hpp>

#include "bindings.h"
#include "esper/base/text.h"
#include "esper/configs/yaml.h"
#include "esper/core/foreign_host.h"
#include "esper/program/edits/journal.h"
#include "esper/program/edits/seed_names.h"
#include "esper/program/text/text_format.h"
#include "esper/services/records/memory_log.h"
#include "foreign_runner.h"

namespace esper::python {
namespace {

using execution::SeedState;
using nlohmann::json;

/// A growth whose host runs in PyTorch: ForeignGrowth, its journal and its folder, with the host's
/// measurements handed to Python. `measure` is an object with the methods of ForeignRunner.
class HostedGrowth {
  public:
    HostedGrowth(configs::EsperConfig config, const ProgramHandle& host, double host_flops,
                 double host_parameters, std::int64_t steps_per_epoch, std::int64_t total_steps,
                 const std::string& folder, py::object measure)
        : config_(std::move(config)),
          host_(host.program),
          store_({config_.run.seed, false}),
          runner_(std::move(measure), {host_flops, host_parameters}),
          length_{steps_per_epoch, total_steps} {
        if (steps_per_epoch < 1 || total_steps < steps_per_epoch)
            throw py::value_error("steps_per_epoch must be 1 or more and total_steps at least it");
        if (!folder.empty()) {
            folder_ = unwrap(records::RunFolder::create(folder));
            log_.folder = &*folder_;
            config_.run.name = name_of_run(folder);
            unwrap(folder_->note_session(0));
            unwrap(write_file_atomic(folder_->path() / "config.yaml", own_part_of(config_)));
            journal_ = unwrap(graph::Journal::create(folder_->journal(), *host_));
        }
        unwrap(store_.add(*host_, "host"));
        growth_ = unwrap(
            tolaria::ForeignGrowth::create({config_, store_, runner_, log_, length_}, host_));
        growth_->kasmina().on_edit(
            [this](const graph::Edit& edit, const graph::Program& after, std::string reason) {
                if (!journal_) return Status();
                return journal_->append(edit, after, static_cast<std::uint64_t>(step_),
                                        std::move(reason));
            });
        if (folder_) folder_->keep();
    }
    HostedGrowth(const HostedGrowth&) = delete;

    void step(double loss) {
        ++step_;
        unwrap(kasmina().tick(loss));
    }
    void boundary(const std::vector<double>& train, const std::vector<double>& validation) {
        unwrap(growth_->at_boundary(step_, {train, validation}));
    }
    void fault(const std::string& seed, const std::string& reason) {
        unwrap(growth_->take_out(seed, reason, step_));
    }

    py::list slots() {
        py::list list;
        for (const auto& slot : kasmina().slots()) {
            py::dict item;
            item["index"] = slot.index;
            item["anchor"] = slot.anchor;
            item["seed"] = slot.seed;
            item["blueprint"] = slot.blueprint;
            item["state"] = std::string(contracts::to_text(kasmina().state(slot.index)));
            item["entered_step"] = slot.entered_step;
            const auto control = store_.controls().find(graph::seed_control(slot.seed));
            item["alpha"] = control != store_.controls().end() ? control->second.item<double>()
                            : kasmina().state(slot.index) == SeedState::kFossilized ? 1.0
                                                                                    : 0.0;
            const auto t = kasmina()
                               .treatment(graph::seed_scope(slot.seed))
                               .value_or(execution::SeedTreatment{});
            item["isolated"] = t.isolated;
            item["frozen"] = t.frozen;
            item["ramping"] = t.ramping;
            list.append(std::move(item));
        }
        return list;
    }

    /// What the store holds under a name: a seed's first values, or a control.
    at::Tensor tensor(const std::string& name) { return unwrap(store_.find(name)); }

    // What the controller does by itself at a boundary, by hand.
    std::string germinate(std::uint32_t slot, const std::string& name) {
        check_slot(slot);
        auto seed = kasmina().next_seed();
        const auto blueprint = unwrap(growth_->blueprint_for(slot, name));
        unwrap(kasmina().germinate(slot, name, blueprint.program, blueprint.has_parameters, now(),
                                   kByHand));
        unwrap(growth_->set_first_values(slot, seed, blueprint));
        return seed;
    }
    void graft(std::uint32_t slot, const std::string& strategy, std::int64_t steps) {
        check_slot(slot);
        const auto chosen = contracts::from_text<contracts::GraftingStrategy>(strategy);
        if (!chosen) throw py::value_error("no grafting strategy is called '" + strategy + "'");
        unwrap(kasmina().graft(slot, *chosen, steps, now(), kByHand));
    }
    void advance(std::uint32_t slot, const std::string& state) {
        check_slot(slot);
        const auto to = contracts::from_text<SeedState>(state);
        if (!to) throw py::value_error("no state of a seed is called '" + state + "'");
        unwrap(kasmina().advance(slot, *to, now()));
    }
    void fossilize(std::uint32_t slot) {
        check_slot(slot);
        unwrap(kasmina().fossilize(slot, now(), kByHand));
    }
    void cull(std::uint32_t slot) {
        check_slot(slot);
        unwrap(kasmina().cull(slot, 0, now(), kByHand));
    }
    void set_alpha(std::uint32_t slot, double alpha) {
        check_slot(slot);
        unwrap(kasmina().set_alpha(slot, alpha));
    }

    std::string save() {
        json controls = json::object();
        for (const auto& [name, tensor] : store_.controls()) controls[name] = tensor.item<double>();
        json state;
        state["step"] = step_;
        state["controls"] = std::move(controls);
        state["program"] = graph::to_text(*program());
        state["growth"] = growth_->save();
        return state.dump();
    }
    void restore(const std::string& text) {
        const auto state = json::parse(text);
        auto program = unwrap(graph::from_text(state.at("program").get<std::string>()));
        if (program->anchors().size() != host_->anchors().size())
            throw py::value_error("the saved growth is of another model: it has " +
                                  std::to_string(program->anchors().size()) + " anchors, this " +
                                  std::to_string(host_->anchors().size()));
        for (const auto& anchor : host_->anchors())
            if (program->find_anchor(anchor.name) == nullptr)
                throw py::value_error("the saved growth is of another model: it has no anchor '" +
                                      anchor.name + "'");
        for (const auto& seed : graph::seeds_in(*program))
            unwrap(
                store_.add(*program, graph::seed_scope(seed.seed), graph::seed_prefix(seed.seed)));
        unwrap(growth_->restore(state.at("growth"), program));
        for (const auto& [name, value] : state.at("controls").items())
            unwrap(store_.set_control(name, value.get<double>()));
        step_ = state.at("step");
    }

    void metrics(const std::vector<std::pair<std::string, double>>& row) {
        if (folder_) unwrap(folder_->metrics(row));
    }
    void write_run(const std::string& text) {
        if (!folder_) return;
        auto run = json::parse(text);
        run["name"] = config_.run.name;
        unwrap(folder_->write_run_json(run));
    }

    ProgramHandle handle() { return {program()}; }
    std::int64_t steps() const { return step_; }
    std::string waiting_for() const { return growth_->waiting_for(); }
    double relative_flops() { return unwrap(runner_.cost(*program())).forward_flops; }
    std::map<std::string, int> counts() const {
        const auto& c = growth_->counts();
        return {{"germinated", c.germinated},
                {"fossilized", c.fossilized},
                {"culled", c.culled},
                {"cancelled", c.cancelled},
                {"rolled_back", c.rolled_back}};
    }
    py::list take_events() {
        py::list list;
        const auto loads = py::module_::import("json").attr("loads");
        for (const auto& e : log_.recent.take()) list.append(loads(e.dump()));
        return list;
    }

  private:
    static constexpr const char* kByHand = "by hand";

    execution::KasminaLayer& kasmina() { return growth_->kasmina(); }
    const graph::ProgramPtr& program() { return growth_->program(); }
    execution::Moment now() const {
        return {step_, static_cast<std::uint32_t>(step_ / length_.steps_per_epoch)};
    }
    void check_slot(std::uint32_t slot) {
        if (slot >= kasmina().slots().size())
            throw py::index_error("there is no slot " + std::to_string(slot));
    }
    /// The configuration's run.name, or, where that was left as it is, the folder's name.
    std::string name_of_run(const std::filesystem::path& folder) const {
        if (config_.run.name != configs::RunConfig().name) return config_.run.name;
        const auto path = std::filesystem::absolute(folder).lexically_normal();
        return (path.has_filename() ? path : path.parent_path()).filename().string();
    }
    /// What of a configuration holds for a loop of the user's own: model, data, optimizer and
    /// checkpoints are not ours there, so config.yaml does not speak of them.
    static std::string own_part_of(const configs::EsperConfig& config) {
        std::string out =
            "# A run of a Python loop: model, data and optimizer are the loop's own.\n";
        bool ours = false;
        for (const auto& line : split(configs::to_yaml(config), '\n')) {
            const bool begins = !line.empty() && line[0] != ' ' && line[0] != '#';
            if (begins)
                ours = line.starts_with("run:") || line.starts_with("growth:") ||
                       line.starts_with("controller:");
            if (ours) out += line + "\n";
        }
        return out;
    }
    /// For Python, and where there is one for the run's folder.
    struct Log final : ports::EventLog {
        records::MemoryLog recent;
        records::RunFolder* folder = nullptr;
        Status event(const std::string& kind, std::int64_t step, std::int64_t epoch,
                     json detail) override {
            ESPER_CHECK_STATUS(recent.event(kind, step, epoch, detail));
            return folder == nullptr ? Status()
                                     : folder->event(kind, step, epoch, std::move(detail));
        }
    };

    configs::EsperConfig config_;
    graph::ProgramPtr host_;
    graph::TensorStore store_;
    ForeignRunner runner_;
    tolaria::RunLength length_;
    Log log_;
    std::optional<records::RunFolder> folder_;
    std::optional<graph::Journal> journal_;
    std::unique_ptr<tolaria::ForeignGrowth> growth_;
    std::int64_t step_ = 0;
};

}  // namespace

void bind_growth(py::module_& m) {
    py::class_<HostedGrowth>(m, "HostedGrowth")
        .def(py::init<configs::EsperConfig, const ProgramHandle&, double, double, std::int64_t,
                      std::int64_t, const std::string&, py::object>(),
             py::arg("config"), py::arg("host"), py::arg("host_flops"), py::arg("host_parameters"),
             py::arg("steps_per_epoch"), py::arg("total_steps"), py::arg("folder"),
             py::arg("measure"))
        .def("step", &HostedGrowth::step)
        .def("boundary", &HostedGrowth::boundary)
        .def("fault", &HostedGrowth::fault)
        .def("slots", &HostedGrowth::slots)
        .def("tensor", &HostedGrowth::tensor)
        .def("germinate", &HostedGrowth::germinate)
        .def("graft", &HostedGrowth::graft)
        .def("advance", &HostedGrowth::advance)
        .def("fossilize", &HostedGrowth::fossilize)
        .def("cull", &HostedGrowth::cull)
        .def("set_alpha", &HostedGrowth::set_alpha)
        .def("save", &HostedGrowth::save)
        .def("restore", &HostedGrowth::restore)
        .def("metrics", &HostedGrowth::metrics)
        .def("write_run", &HostedGrowth::write_run)
        .def("take_events", &HostedGrowth::take_events)
        .def("counts", &HostedGrowth::counts)
        .def_property_readonly("waiting_for", &HostedGrowth::waiting_for)
        .def_property_readonly("forward_flops", &HostedGrowth::relative_flops)
        .def_property_readonly("program", &HostedGrowth::handle)
        .def_property_readonly("steps", &HostedGrowth::steps);
}

}  // namespace esper::python
