#include "esper/services/tolaria/host/choose_recipe.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <nlohmann/json.hpp>

#include "esper/base/text.h"
#include "esper/configs/growth.h"

namespace esper::tolaria {
namespace {

using configs::DataKind;

class Recipe {
  public:
    Recipe(const RecognisedData& recognised, const std::filesystem::path& path, const Dataset& data)
        : recognised_(recognised), path_(path), data_(data), info_(data.info()) {}

    std::vector<Choice> make() {
        set("run.name", name_of_run());
        set("data.kind", std::string(contracts::to_text(recognised_.kind)), recognised_.what);
        set("data.path", nlohmann::json(path_.string()).dump());
        if (info_.task == Task::kNextToken)
            for_tokens();
        else if (info_.input_shape.size() == 1)
            for_table();
        else
            for_images();
        return std::move(choices_);
    }

  private:
    void set(std::string key, std::string value, std::string why = {}) {
        choices_.push_back({std::move(key), std::move(value), std::move(why)});
    }
    template <typename T>
        requires std::is_arithmetic_v<T>
    void set(std::string key, T value, std::string why = {}) {
        set(std::move(key), fmt::format("{}", value), std::move(why));
    }

    std::string name_of_run() const {
        std::string name;
        for (const char c : path_.filename().empty() ? path_.parent_path().filename().string()
                                                     : path_.stem().string())
            if (std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '_') name += c;
        return name.empty() ? "data" : name.substr(0, 100);
    }

    /// Those that the shares divide.
    std::int64_t examples() const {
        std::int64_t all = 0;
        for (const auto part : kAllParts) {
            const bool own = (part == Part::kValidation && info_.brings_validation) ||
                             (part == Part::kTest && info_.brings_test);
            if (!own) all += data_.size(part);
        }
        return all;
    }

    // The gate decides from n0 probe examples on; four times as many tell small gains from none.
    // More than a tenth is given only where a tenth would be too few to decide at all.
    // Gives the share of the training part.
    double split_for_gate(std::int64_t all) {
        constexpr double kLargest = 0.25;
        const auto n0 = static_cast<double>(configs::GateConfig{}.min_examples);
        const auto n = static_cast<double>(all);
        double share = std::clamp(4 * n0 / n, 0.02, 0.1);
        if (share * n < n0 * 1.1) share = n0 * 1.1 / n;
        grows_ = share <= kLargest;
        if (!grows_) share = 0.05;
        share = std::ceil(share * 100) / 100;
        const double rest = all < 2000 ? 0.15 : 0.1;
        const double test = info_.brings_test ? 0 : rest;
        set("data.split.train", fmt::format("{:.2f}", 1 - share - rest - test));
        set("data.split.probe", fmt::format("{:.2f}", share),
            grows_ ? fmt::format("about {:.0f} examples: the gate decides from {:.0f} on",
                                 share * n, n0)
                   : "too few for the gate; used for nothing");
        set("data.split.validation", fmt::format("{:.2f}", rest));
        set("data.split.test", fmt::format("{:.2f}", test),
            info_.brings_test ? "the data bring their own test part" : "");
        if (!grows_)
            set("growth.enabled", "false",
                fmt::format("{} examples are too few: the gate needs {:.0f} beside those that the "
                            "network learns from",
                            all, n0));
        return 1 - share - rest - test;
    }

    // Epochs are one pass over the training part where that makes a readable number of them, with
    // boundaries enough for growth to act at; else so many steps.
    void length(std::int64_t steps, std::int64_t batch, double train) {
        const double pass = std::max(1.0, std::floor(train / static_cast<double>(batch)));
        const auto passes = static_cast<double>(steps) / pass;
        set("data.batch_size", batch);
        if (passes >= 20 && passes <= 60) {
            set("run.steps_per_epoch", 0, "one pass over the training part");
            set("run.epochs", std::lround(passes),
                fmt::format("about {} steps", std::lround(passes * pass)));
        } else {
            set("run.epochs", 25,
                fmt::format("{} steps, {:.1f} passes over the training part", steps / 25 * 25,
                            passes));
            set("run.steps_per_epoch", steps / 25,
                passes < 20 ? "shorter than a pass, so that growth can act at the end of each"
                            : "several passes: one is short");
        }
    }

    // Stages of a seed's life in shares of the run, in whole epochs where the key wants them.
    void growth_over(std::int64_t steps) {
        const bool regression = info_.task == Task::kRegression;
        set("checkpoint.rollback.spike_factor", regression ? 100 : 20,
            "one example far out may make the loss of its batch jump; that is no runaway");
        if (!grows_) return;
        const auto batches = [&](double share) {
            return fmt::format("{}ba", std::max<std::int64_t>(
                                           5, std::llround(share * static_cast<double>(steps))));
        };
        set("growth.training", batches(0.06));
        set("growth.graft_steps",
            std::max<std::int64_t>(10, std::llround(0.05 * static_cast<double>(steps))));
        set("growth.stabilization", batches(0.01));
        set("growth.fine_tune", batches(0.04));
        set("growth.cooldown", "0ep");
        set("growth.embargo", "2ep");
        set("growth.start", "0.15");
        set("growth.stop", "0.6");
        set("growth.gate.budget", batches(0.06));
        set("growth.gate.lag", batches(0.03));
    }

    void for_tokens();
    void for_table();
    void for_images();

    const RecognisedData& recognised_;
    const std::filesystem::path& path_;
    const Dataset& data_;
    const DatasetInfo& info_;
    std::vector<Choice> choices_;
    bool grows_ = true;
};

void Recipe::for_table() {
    const auto all = examples();
    set("model.host", "mlp", fmt::format("a table of {} inputs", info_.input_shape[0]));
    set("model.depth", 2);
    const auto width = all < 1000 ? 32 : all < 20000 ? 64 : 128;
    set("model.width", width, fmt::format("{} rows; growth adds what is missing", all));
    const double share = split_for_gate(all);
    const double train = share * static_cast<double>(all);
    const std::int64_t batch = train < 500 ? 16 : train < 5000 ? 32 : train < 50000 ? 64 : 256;
    const std::int64_t steps = train < 5000 ? 1500 : 3000;
    length(steps, batch, train);
    set("optimization.learning_rate", "0.003");
    set("optimization.weight_decay", "0.01");
    growth_over(steps);
}

void Recipe::for_images() {
    const auto all = examples();
    const auto& shape = info_.input_shape;
    const bool small = shape[1] < 8;
    set("model.host", small ? "mlp" : "resnet",
        fmt::format("images of {} x {} pixels, {} channel{}", shape[1], shape[2], shape[0],
                    shape[0] == 1 ? "" : "s"));
    set("model.depth", small ? 2 : 8,
        small ? "" : "ResNet-8, the smallest; growth adds what is missing");
    set("model.width", small ? 64 : 16);
    const double share = split_for_gate(all);
    const double train = share * static_cast<double>(all);
    const std::int64_t batch = train < 2000 ? 32 : 64;
    // So much arithmetic as 300,000 images of 32 x 32 take: some minutes on two cores.
    const double seen = 300'000.0 * 1024 / static_cast<double>(shape[1] * shape[2]);
    const auto passes = std::clamp(seen / train, 3.0, 60.0);
    const auto steps =
        std::max<std::int64_t>(250, std::llround(passes * train / static_cast<double>(batch)));
    length(steps, batch, train);
    set("data.augment.flip", recognised_.kind == DataKind::kIdx ? "false" : "true",
        recognised_.kind == DataKind::kIdx ? "digits and letters are not their mirror images" : "");
    set("data.augment.shift", std::max<std::int64_t>(shape[1] / 8, small ? 0 : 1));
    set("optimization.optimizer", "sgd");
    set("optimization.learning_rate", "0.05");
    set("optimization.weight_decay", "0.0005");
    set("optimization.cooldown", "0.35");
    growth_over(steps);
}

void Recipe::for_tokens() {
    const auto context = info_.input_shape[0];
    const auto tokens = examples() * context;
    set("model.host", "gpt",
        fmt::format("{} tokens of {} kinds", human_count(static_cast<double>(tokens)),
                    info_.classes));
    set("model.depth", 2);
    set("model.width", 64, "as in the shipped configuration for text; growth adds what is missing");
    set("model.heads", 4);
    // As long as the parts have windows enough.
    std::int64_t chosen = 8;
    for (const std::int64_t c : {64, 32, 16})
        if (tokens / c >= 6000) {
            chosen = c;
            break;
        }
    set("model.context", chosen,
        chosen < 64 ? "short, so that a short text has windows enough" : "");
    split_for_gate(tokens / chosen);
    set("data.batch_size", 32);
    set("run.epochs", 30);
    set("run.steps_per_epoch", 50, "1,500 steps; windows begin anywhere in the training part");
    set("optimization.learning_rate", "0.002");
    set("optimization.newborn_steps", 100);
    if (!grows_) return;
    // Those of configs/shakespeare.yaml.
    set("growth.isolation", "shadow");
    set("growth.seeds_per_anchor", 2);
    set("growth.training", "1ep");
    set("growth.graft_steps", 100);
    set("growth.stabilization", "25ba");
    set("growth.fine_tune", "1ep");
    set("growth.cooldown", "0ep");
    set("growth.embargo", "2ep");
    set("growth.start", "0.2");
    set("growth.stop", "0.5");
    set("growth.gate.budget", "1ep");
    set("growth.gate.lag", "50ba");
    set("growth.limits.max_in_flight", 2);
    set("controller.period", "2ep");
    set("controller.plateau.threshold", "0.03");
}

}  // namespace

std::vector<Choice> choose_recipe(const RecognisedData& recognised,
                                  const std::filesystem::path& path, const Dataset& data) {
    return Recipe(recognised, path, data).make();
}

std::string to_yaml(const std::vector<Choice>& choices) {
    // A section is written once, where its first key stands.
    struct Node {
        std::string name;
        const Choice* choice = nullptr;
        std::vector<Node> children;
    };
    Node root;
    for (const auto& choice : choices) {
        Node* at = &root;
        for (const auto& word : split(choice.key, '.')) {
            auto found = std::ranges::find(at->children, word, &Node::name);
            if (found == at->children.end()) {
                at->children.push_back({word, nullptr, {}});
                found = at->children.end() - 1;
            }
            at = &*found;
        }
        at->choice = &choice;
    }
    std::string out;
    const auto write = [&](const auto& self, const Node& node, int depth) -> void {
        for (const auto& child : node.children) {
            out += std::string(static_cast<std::size_t>(depth) * 2, ' ') + child.name + ":";
            if (child.choice != nullptr) {
                out += " " + child.choice->value;
                if (!child.choice->why.empty()) out += "  # " + child.choice->why;
            }
            out += "\n";
            self(self, child, depth + 1);
        }
    };
    write(write, root, 0);
    return out;
}

}  // namespace esper::tolaria
