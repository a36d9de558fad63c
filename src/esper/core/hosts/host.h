#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "esper/core/errors.h"
#include "esper/program/program.h"

namespace esper::core {

/// The sizes of a host. The kind decides which fields are used:
///
/// | kind     | depth                        | width          | input `x`                  |
/// |----------|------------------------------|----------------|----------------------------|
/// | `mlp`    | hidden layers, ≥ 1           | hidden units   | f32[?, features], or images |
/// | `resnet` | 6n + 2                       | first channels | f32[?, channels, S, S]     |
/// | `vgg`    | 8, 9, …; 11, 13, 16, 19 as published | first channels | f32[?, channels, S, S] |
/// | `gpt`    | blocks, ≥ 1                  | features       | i64[?, context]            |
///
/// The output `logits` is f32[?, classes], for `gpt` f32[?, context, classes].
struct HostSpec {
    std::string kind = "gpt";
    std::int64_t depth = 2;
    std::int64_t width = 128;
    /// Classes, or the size of the vocabulary.
    std::int64_t classes = 10;
    /// `mlp` only: size of the input vector; 0 takes images and flattens them.
    std::int64_t features = 0;
    std::int64_t channels = 3;
    std::int64_t image_size = 32;
    /// `vgg` only: BatchNorm after each convolution.
    bool batch_norm = true;
    /// The following fields are for `gpt` only. Attention heads; must divide width.
    std::int64_t heads = 4;
    /// Tokens a forward pass takes.
    std::int64_t context = 128;
    /// The output layer shares the token embedding's weight.
    bool tied_head = false;
    /// Dropout probability of embeddings and of each branch's output. With 0 the Program has no
    /// dropout operators; otherwise it has a control `dropout.step`, the number that the masks are
    /// drawn from.
    double dropout = 0.0;
};

/// Builds a host. Parameters have the names that PyTorch would give them. The loss is not part of
/// the Program. Errors: kUnknownHost, kBadHostSpec.
Result<graph::ProgramPtr> make_host(const HostSpec& spec);

using HostMaker = Result<graph::ProgramPtr> (*)(const HostSpec&);
/// Adds a kind of host, or replaces one. Thread-safe.
void register_host(const std::string& kind, HostMaker maker);
/// Known kinds, sorted.
std::vector<std::string> host_kinds();

}  // namespace esper::core
