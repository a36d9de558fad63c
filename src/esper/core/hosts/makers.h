#pragma once

#include "esper/core/hosts/host.h"

namespace esper::core {

/// Hidden layers with ReLU; an anchor at each one's output, `layers.<i>`.
Result<graph::ProgramPtr> make_mlp(const HostSpec& spec);
/// The CIFAR ResNet of He et al. (CVPR 2016, section 4.2): 3 stages of (depth − 2)/6 basic blocks,
/// width, 2·width and 4·width channels; projection shortcuts (1×1 convolution with BatchNorm) where
/// the shape changes. An anchor at each block's output, `layer<s>.<i>`.
Result<graph::ProgramPtr> make_resnet(const HostSpec& spec);
/// Plain convolutions, no shortcuts (Simonyan & Zisserman, ICLR 2015), five stages, one linear
/// layer at the end. An anchor at each convolution's ReLU, `features.<i>`.
Result<graph::ProgramPtr> make_vgg(const HostSpec& spec);
/// A pre-norm decoder: learned positions, causal attention, GELU. An anchor at each block's output,
/// `blocks.<i>`.
Result<graph::ProgramPtr> make_gpt(const HostSpec& spec);

/// kBadHostSpec unless `value` lies in [low, high].
Status check_size(const HostSpec& spec, std::string_view field, std::int64_t value,
                  std::int64_t low, std::int64_t high);

}  // namespace esper::core
