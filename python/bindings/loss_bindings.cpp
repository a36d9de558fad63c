#include <torch/csrc/autograd/python_variable.h>
#include <torch/csrc/utils/pybind.h>

#include <limits>
#include <memory>
#include <utility>

#include "bindings.h"

namespace esper::python {
namespace {

/// Sums the losses of steps. It runs in a user's training loop, where a call through PyTorch's
/// dispatcher costs microseconds. So it reads a loss in CPU memory directly, and keeps a loss on
/// another device until the sum is requested, so that no step waits for that device.
class LossMeter {
  public:
    void add(PyObject* loss) {
        if (!THPVariable_Check(loss)) {
            settle(py::handle(loss).cast<double>());
            ++steps_;
            return;
        }
        const at::Tensor& tensor = THPVariable_Unpack(loss);
        if (tensor.numel() != 1)
            throw py::value_error("expected a step's loss as a number or a tensor of one, got " +
                                  std::to_string(tensor.numel()) + " elements");
        ++steps_;
        if (tensor.is_cpu() && tensor.scalar_type() == at::kFloat) {
            settle(static_cast<double>(*tensor.const_data_ptr<float>()));
            return;
        }
        pending_.push_back(tensor.detach());
        if (tensor.is_cpu() || pending_.size() >= kMostPending) fold();
    }

    /// A step while every seed sleeps.
    void sleep_through(PyObject* loss) {
        add(loss);
        ++slept_;
    }
    /// Number of such steps since the last call.
    std::size_t take_slept() { return std::exchange(slept_, 0); }

    double sum() {
        fold();
        return sum_;
    }
    double last() {
        fold();
        return last_;
    }
    std::size_t steps() const { return steps_; }

    void reset(double sum, std::size_t steps) {
        pending_.clear();
        sum_ = sum;
        steps_ = steps;
        last_ = std::numeric_limits<double>::quiet_NaN();
    }

  private:
    static constexpr std::size_t kMostPending = 1024;

    void settle(double loss) {
        if (!pending_.empty()) fold();
        last_ = loss;
        sum_ += loss;
    }
    void fold() {
        for (const at::Tensor& tensor : std::exchange(pending_, {})) settle(tensor.item<double>());
    }

    double sum_ = 0;
    double last_ = std::numeric_limits<double>::quiet_NaN();
    std::size_t steps_ = 0;
    std::size_t slept_ = 0;
    std::vector<at::Tensor> pending_;
};

using MeterPtr = std::shared_ptr<LossMeter>;

PyObject* raise(PyObject* loss) {
    try {
        throw;
    } catch (py::error_already_set& e) {
        e.restore();
    } catch (const py::cast_error&) {
        PyErr_Format(PyExc_TypeError, "expected a step's loss as a number or a tensor, got %s",
                     Py_TYPE(loss)->tp_name);
    } catch (const std::exception& e) {
        PyErr_SetString(PyExc_ValueError, e.what());
    }
    return nullptr;
}

LossMeter& meter_of(PyObject* capsule) {
    return **static_cast<MeterPtr*>(PyCapsule_GetPointer(capsule, nullptr));
}

PyObject* add(PyObject* capsule, PyObject* loss) {
    try {
        meter_of(capsule).add(loss);
        Py_RETURN_NONE;
    } catch (...) {
        return raise(loss);
    }
}

/// `Growth.step(loss, again=None)` while every seed sleeps.
PyObject* sleeping_step(PyObject* capsule, PyObject* const* args, Py_ssize_t count,
                        PyObject* names) {
    PyObject* loss = count > 0 ? args[0] : nullptr;
    const Py_ssize_t named = names == nullptr ? 0 : PyTuple_GET_SIZE(names);
    bool known = count <= 2;
    for (Py_ssize_t i = 0; i < named; ++i) {
        PyObject* name = PyTuple_GET_ITEM(names, i);
        if (count == 0 && PyUnicode_CompareWithASCIIString(name, "loss") == 0) {
            loss = args[count + i];
        } else {
            known = known && count < 2 && PyUnicode_CompareWithASCIIString(name, "again") == 0;
        }
    }
    if (loss == nullptr || !known) {
        PyErr_SetString(PyExc_TypeError, "expected step(loss, again=None)");
        return nullptr;
    }
    try {
        meter_of(capsule).sleep_through(loss);
        Py_RETURN_NONE;
    } catch (...) {
        return raise(loss);
    }
}

PyMethodDef add_definition = {"add", &add, METH_O,
                              "Adds a step's loss: a number or a tensor of one element."};
PyMethodDef step_definition = {
    "step", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(&sleeping_step)),
    METH_FASTCALL | METH_KEYWORDS,
    "step(loss, again=None)\n\nCall once after each optimizer step. loss: the step's loss, a "
    "number "
    "or 0-dimensional tensor. See `Growth.step`."};

/// A function made with Python's C API. A call through pybind11 takes microseconds when its code is
/// not in the CPU's caches, as after each training step.
template <PyMethodDef* kDefinition>
py::object bound(const MeterPtr& meter) {
    const py::capsule held(new MeterPtr(meter), [](void* p) { delete static_cast<MeterPtr*>(p); });
    return py::reinterpret_steal<py::object>(PyCFunction_New(kDefinition, held.ptr()));
}

}  // namespace

void bind_loss(py::module_& m) {
    py::class_<LossMeter, MeterPtr>(m, "LossMeter", "The sum of the losses of an epoch's steps.")
        .def(py::init<>())
        .def_property_readonly("add", &bound<&add_definition>)
        .def_property_readonly("step", &bound<&step_definition>)
        .def("take_slept", &LossMeter::take_slept)
        .def("reset", &LossMeter::reset, py::arg("sum") = 0.0, py::arg("steps") = 0)
        .def_property_readonly("sum", &LossMeter::sum)
        .def_property_readonly("last", &LossMeter::last)
        .def_property_readonly("steps", &LossMeter::steps);
}

}  // namespace esper::python
