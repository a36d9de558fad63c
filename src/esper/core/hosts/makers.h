#pragma once

#include "esper/core/hosts/host.h"

namespace esper::core {

/// Hidden layers with ReLU. The output of each hidden layer is an anchor, `layers.<i>`.
Result<graph::ProgramPtr> make_mlp(const HostSpec& spec);
/// The CIFAR ResNet of He et al. (CVPR 2016, section 4.2): 3 stages of (depth − 2)/6 basic blocks,
/// width, 2·width and 4·width channels; projection shortcuts (1×1 convolution with BatchNorm) where
/// the shape changes. The output of each block is an anchor, `layer<s>.<i>`.
Result<graph::ProgramPtr> make_resnet(const HostSpec& spec);
/// Convolutions without shortcuts in five stages (Simonyan & Zisserman, ICLR 2015), then one linear
/// layer. The output of each convolution's ReLU is an anchor, `features.<i>`.
Result<graph::ProgramPtr> make_vgg(const HostSpec& spec);
/// A pre-norm decoder with learned positions, causal attention and GELU. The output of each block
/// is an anchor, `blocks.<i>`.
Result<graph::ProgramPtr> make_gpt(const HostSpec& spec);

/// kBadHostSpec unless `value` lies in [low, high].
Status check_size(const HostSpec& spec, std::string_view field, std::int64_t value,
                  std::int64_t low, std::int64_t high);

}  // namespace esper::core
