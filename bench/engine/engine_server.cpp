// Our side of bench/python/engine.py. It makes a host, writes its parameters and one batch to
// files, and then runs whole training steps (forward, loss, backward, optimizer) on command.
//
//     bench_engine_server CASE BATCH fp32|bf16 THREADS FOLDER
//
// CASE is a host of ours, or a model of images that was exported from Python: wrn16-2.pt2.
// FOLDER receives tensors.bin and tensors.json. Commands on standard input, one per line: `steps N`
// runs N steps and prints their nanoseconds, `loss` runs one step and prints its loss, `profile`
// prints the time of one step by operator, `list` the operators of one step.

#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/randint.h>
#include <ATen/ops/randn.h>

#include <filesystem>
#include <fstream>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>

#include "bench_stats.h"
#include "engine_cases.h"
#include "esper/exchange/importers/pt2.h"
#include "esper/services/tolaria/learn/engine.h"
#include "esper/services/tolaria/learn/optimizer.h"

namespace {

void write_tensors(const std::filesystem::path& folder, const esper::graph::TensorStore& store,
                   const std::vector<at::Tensor>& batch) {
    std::ofstream data(folder / "tensors.bin", std::ios::binary);
    auto index = nlohmann::json::array();
    auto write = [&](const std::string& name, const at::Tensor& tensor) {
        const auto plain = tensor.contiguous();
        index.push_back({{"name", name},
                         {"shape", plain.sizes().vec()},
                         {"integers", plain.scalar_type() == at::kLong}});
        data.write(static_cast<const char*>(plain.const_data_ptr()),
                   static_cast<std::streamsize>(plain.nbytes()));
    };
    for (const auto& block : store.blocks())
        for (const auto& entry : block->entries) write(entry.name, entry.value);
    write("x", batch[0]);
    write("target", batch[1]);
    std::ofstream(folder / "tensors.json") << index.dump();
}

// The kind, from which the optimizer follows, is the file's name.
std::unique_ptr<bench::Training> imported(const bench::Case& what) {
    const std::filesystem::path file(what.host);
    const auto model = esper::value_or_throw(esper::graph::import_pt2(file));
    auto parts = model.program->parts();
    const auto value = parts.outputs.at(0).value;
    parts.outputs = {{"logits", value}};
    std::erase_if(parts.anchors, [&](const auto& anchor) { return anchor.value == value; });
    auto training = std::make_unique<bench::Training>(
        esper::value_or_throw(esper::graph::Program::make(std::move(parts))),
        esper::core::HostSpec{.kind = file.stem().string()}, what);
    if (auto loaded = esper::graph::load_tensors(model, training->store()); !loaded)
        throw esper::EsperException(loaded.error());
    return training;
}

int serve(const bench::Case& what, const std::filesystem::path& folder) {
    const auto training =
        what.host.ends_with(".pt2") ? imported(what) : std::make_unique<bench::Training>(what);
    write_tensors(folder, training->store(), training->batch());
    std::cout << "ready" << std::endl;
    for (std::string line; std::getline(std::cin, line);) {
        std::istringstream words(line);
        std::string command;
        words >> command;
        if (command == "steps") {
            int steps = 0;
            words >> steps;
            const double start = bench::now_ns();
            for (int i = 0; i < steps; ++i) training->step();
            std::cout << bench::now_ns() - start << std::endl;
        } else if (command == "loss") {
            std::cout.precision(9);
            std::cout << training->step() << std::endl;
        } else if (command == "profile") {
            std::cout << training->profile() << "end" << std::endl;
        } else if (command == "list") {
            std::cout << training->list() << "end" << std::endl;
        } else {
            std::cerr << "no command " << line << "\n";
            return 2;
        }
    }
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 6) {
        std::cerr << "usage: " << argv[0] << " CASE BATCH fp32|bf16 THREADS FOLDER\n";
        return 2;
    }
    try {
        at::set_num_threads(std::stoi(argv[4]));
        return serve({argv[1], std::stoi(argv[2]), std::string(argv[3]) == "bf16"}, argv[5]);
    } catch (const std::exception& e) {
        std::cerr << e.what() << "\n";
        return 1;
    }
}
