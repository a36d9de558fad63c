#pragma once

#include "esper/configs/section.h"

namespace esper::configs {

#define ESPER_DATA_KINDS(X) X(kText, 0, "text") X(kCifar10, 1, "cifar10") X(kDrawn, 2, "drawn")
ESPER_CONTRACT_ENUM(DataKind, ESPER_DATA_KINDS)

#define ESPER_AUGMENT_KEYS(X)                                                              \
    X(bool, flip, true, rule::any(), "mirror half of the images left to right")            \
    X(int, shift, 4, rule::within(0, 64), "move by up to this many pixels; 0: not at all") \
    X(int, cutout, 0, rule::within(0, 256), "side of the square that is blanked; 0: none")
ESPER_CONFIG_SECTION(AugmentConfig, ESPER_AUGMENT_KEYS)

#define ESPER_SPLIT_KEYS(X)                                                                      \
    X(double, train, 0.8, rule::inside(0, 1), "share that the network learns from")              \
    X(double, probe, 0.1, rule::inside(0, 1), "share that only the gates look at")               \
    X(double, validation, 0.05, rule::inside(0, 1), "share for the controller and for stopping") \
    X(double, test, 0.05, rule::below(0, 1),                                                     \
      "share read once, at the end; 0 for cifar10, which brings its own test images")
ESPER_CONFIG_SECTION(SplitConfig, ESPER_SPLIT_KEYS)

#define ESPER_DATA_KEYS(X)                                                                         \
    X(DataKind, kind, DataKind::kText, rule::any(),                                                \
      "plain text, CIFAR-10 in its binary layout, or images drawn on the fly")                     \
    X(std::string, path, "data/tinyshakespeare.txt", rule::any(),                                  \
      "file (text) or folder (cifar10; empty, or the default text: where 'esper data fetch' puts " \
      "it); "                                                                                      \
      "drawn images need none")                                                                    \
    X(int, batch_size, 32, rule::within(1, 1 << 20), "examples in an optimizer step")              \
    X(int, context, 0, rule::within(0, 1 << 20),                                                   \
      "characters of an example (text); 0: the model's context")                                   \
    X(std::int64_t, train_examples, 0, rule::at_least(0),                                          \
      "use only so many training examples, or draw so many; 0: all, or 20,000 drawn")              \
    X(int, workers, 1, rule::within(0, 256),                                                       \
      "threads that prepare batches; 0: the training thread does it")                              \
    X(AugmentConfig, augment, {}, rule::any(), "changes made to training images")                  \
    X(SplitConfig, split, {}, rule::any(), "the four disjoint parts of the data")
ESPER_CONFIG_SECTION(DataConfig, ESPER_DATA_KEYS)

}  // namespace esper::configs
