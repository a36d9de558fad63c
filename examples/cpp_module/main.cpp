// A torch::nn::Module, its own training loop, a seed that is tried and kept, and plain PyTorch at
// the end:
//   cpp_module OUTPUT_FOLDER
#include <esper/esper.h>
#include <torch/nn/module.h>
#include <torch/nn/modules/linear.h>
#include <torch/optim/sgd.h>

#include <cstdio>

struct Net : torch::nn::Module {
    Net() {
        first = register_module("first", torch::nn::Linear(8, 16));
        second = register_module("second", torch::nn::Linear(16, 16));
        head = register_module("head", torch::nn::Linear(16, 3));
    }
    torch::Tensor forward(torch::Tensor x) {
        x = torch::relu(first(x));
        x = torch::relu(second(x));
        return head(x);
    }
    torch::nn::Linear first{nullptr}, second{nullptr}, head{nullptr};
};

// Three classes that no linear map tells apart.
torch::Tensor targets_of(const torch::Tensor& x) {
    return (x.select(1, 0) * x.select(1, 1) > 0).to(torch::kLong) +
           (x.select(1, 2) * x.select(1, 3) > 0.5).to(torch::kLong);
}

int main(int argc, char** argv) {
    torch::manual_seed(1);
    Net net;
    auto model = esper::wrap(net, {torch::randn({32, 8})});
    std::printf("%s\n", model.summary().c_str());

    torch::optim::SGD optimizer(net.parameters(), torch::optim::SGDOptions(0.1).momentum(0.9));
    double loss_value = 0;
    const auto train = [&](int steps) {
        for (int step = 0; step < steps; ++step) {
            const auto x = torch::randn({32, 8});
            optimizer.zero_grad();
            const auto loss = torch::cross_entropy_loss(model.forward({x})[0], targets_of(x));
            loss.backward();
            optimizer.step();
            loss_value = loss.item<double>();
            model.tick(loss_value);
        }
    };
    const auto probe = torch::randn({512, 8});
    const auto measure = [&] {
        torch::NoGradGuard no_grad;
        return torch::cross_entropy_loss(model.forward({probe})[0], targets_of(probe))
            .item<double>();
    };

    train(100);
    const std::string anchor = "second";
    optimizer.add_param_group(
        torch::optim::OptimizerParamGroup(model.germinate(anchor, "bottleneck_mlp")));
    train(100);  // in isolation: the host learns as if the seed were not there
    model.graft(anchor, 50);
    train(50);
    model.advance(anchor);  // the host settles
    model.advance(anchor);  // and the seed is measured
    const double with = measure();
    model.set_alpha(anchor, 0);
    const double without = measure();
    model.set_alpha(anchor, 1);
    std::printf("probe loss %.4f with the seed, %.4f without\n", with, without);
    if (with < without) {
        model.advance(anchor);
        train(50);
        model.fossilize(anchor);
    } else {
        model.cull(anchor);
    }
    for (const auto& a : model.anchors())
        std::printf("%-8s %-7s %s %s\n", a.name.c_str(), a.kind.c_str(), a.state.c_str(),
                    a.seed.c_str());
    if (argc > 1) model.export_to(argv[1]);
    return 0;
}
