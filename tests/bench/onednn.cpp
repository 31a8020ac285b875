// Measures seconds a cube of the paper's network by oneDNN, for comparison with `memaed bench` in
// tests/bench/compare.sh. The eight convolutions are put together by hand from oneDNN's own primitives.
//
//   onednn fp32|bf16|int8 [THREADS [SECONDS]]        (2, 5)
//
// Weights are reordered once. For each layer, oneDNN's choice of layouts is timed against channels last, and a fused
// leaky ReLU against a separate one. The fastest is taken. Then all threads run cubes together, and each thread runs a
// cube of its own. The better of the two counts. Norms count as folded into weights and biases. The peer does less than
// memaed, because memory and residual are left out. 8 bits means bytes, and signed weights with a scale for each channel.
// There the zero points that a leaky ReLU needs are left out, too.
#include <dnnl.hpp>
#include <omp.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

using namespace dnnl;
using dims = memory::dims;
using type = memory::data_type;
using tag = memory::format_tag;

namespace {

struct layer {
    bool transposed;
    memory::dim in, out, stride_t;      // channels in and out, stride in time; the stride in space is 2
};

constexpr layer network[] = {
    {false, 1, 96, 1},  {false, 96, 128, 2},  {false, 128, 256, 2}, {false, 256, 256, 2},
    {true, 256, 256, 2}, {true, 256, 128, 2}, {true, 128, 96, 2},   {true, 96, 1, 1},
};
constexpr memory::dim frames = 16, height = 256, width = 256;
constexpr float slope = 0.2f;

struct types {
    type picture, activation, weight, bias, last;
};

double now_s()
{
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

struct step {
    primitive what;
    std::unordered_map<int, memory> with;
};

// Memory and primitives for one cube. OpenMP's setting in the thread that makes a pipeline decides how many threads run it.
class pipeline {
public:
    explicit pipeline(const types &t) : engine_(engine::kind::cpu, 0), stream_(engine_)
    {
        dims shape = {1, 1, frames, height, width};
        memory x({shape, t.picture, tag::ndhwc}, engine_);
        fill(x);
        constexpr size_t n = sizeof network / sizeof *network;
        for (size_t i = 0; i < n; i++)
            x = network[i].transposed ? add<deconvolution_forward>(network[i], x, t, i + 1 == n)
                                      : add<convolution_forward>(network[i], x, t, i + 1 == n);
    }

    void run() { execute(steps_); }

private:
    void execute(const std::vector<step> &steps)
    {
        for (auto &s : steps)
            s.what.execute(stream_, s.with);
        stream_.wait();
    }

    void fill(memory &m)
    {
        auto *bytes = static_cast<uint8_t *>(m.get_data_handle());
        size_t n = m.get_desc().get_size();
        uint32_t state = 1;
        if (m.get_desc().data_type() == type::f32)
            for (size_t i = 0; i < n / sizeof(float); i++) {
                state = state * 1664525 + 1013904223;
                reinterpret_cast<float *>(bytes)[i] = static_cast<float>(state >> 8) * 0x1p-24f - 0.5f;
            }
        else
            for (size_t i = 0; i < n; i++) {
                state = state * 1664525 + 1013904223;
                bytes[i] = static_cast<uint8_t>(state >> 24);
            }
    }

    memory as(const memory &m, const memory::desc &wanted, std::vector<step> *when)
    {
        if (m.get_desc() == wanted)
            return m;
        memory to(wanted, engine_);
        step s = {reorder(m, to), {{DNNL_ARG_FROM, m}, {DNNL_ARG_TO, to}}};
        if (when)
            when->push_back(s);
        else
            execute({s});
        return to;
    }

    double seconds_of(const std::vector<step> &steps)
    {
        double best = 1e9;
        for (int i = 0; i < 3; i++) {
            double start = now_s();
            execute(steps);
            best = std::min(best, now_s() - start);
        }
        return best;
    }

    // Adds the fastest variant of a layer on x: oneDNN's layouts or channels last, activation fused or separate.
    template <typename conv> memory add(const layer &l, const memory &x, const types &t, bool last)
    {
        memory best_y;
        std::vector<step> best;
        double best_s = 0;
        for (tag layout : {tag::any, tag::ndhwc})
            for (bool apart : {false, true}) {
                std::vector<step> steps;
                memory y = make<conv>(steps, l, x, t, layout, last, apart);
                double s = seconds_of(steps);
                if (!best.empty() && s >= best_s)
                    continue;
                best_y = y;
                best = steps;
                best_s = s;
            }
        steps_.insert(steps_.end(), best.begin(), best.end());
        return best_y;
    }

    template <typename conv>
    memory make(std::vector<step> &steps, const layer &l, const memory &x, const types &t, tag layout, bool last, bool apart)
    {
        dims in = x.get_desc().dims(), stride = {l.stride_t, 2, 2}, out = {1, l.out};
        for (int i = 0; i < 3; i++)
            out.push_back(l.transposed ? in[i + 2] * stride[i] : in[i + 2] / stride[i]);
        // Padding: 1 in front, and as much behind as the output size above needs.
        dims before = {1, 1, 1}, behind(3), none = {0, 0, 0};
        for (int i = 0; i < 3; i++) {
            auto fine = l.transposed ? out[i + 2] : in[i + 2], coarse = l.transposed ? in[i + 2] : out[i + 2];
            behind[i] = (coarse - 1) * stride[i] + 3 - 1 - fine;
        }
        memory::desc source(in, x.get_desc().data_type(), layout);
        memory::desc weights({l.out, l.in, 3, 3, 3}, t.weight, tag::any), bias({l.out}, t.bias, tag::x);
        memory::desc target(out, last ? t.last : t.activation, layout);
        primitive_attr attr;
        if (t.weight == type::s8)
            attr.set_output_scales(2, std::vector<float>(static_cast<size_t>(l.out), 1e-3f));
        if (!last && !apart) {
            post_ops ops;
            ops.append_eltwise(1, algorithm::eltwise_relu, slope, 0);
            attr.set_post_ops(ops);
        }
        using description = typename conv::desc;
        algorithm how = l.transposed ? algorithm::deconvolution_direct : algorithm::convolution_direct;
        description d(prop_kind::forward_inference, how, source, weights, bias, target, stride, before, behind);
        typename conv::primitive_desc pd(d, attr, engine_);

        memory w({{l.out, l.in, 3, 3, 3}, type::f32, tag::oidhw}, engine_), b({{l.out}, type::f32, tag::x}, engine_);
        fill(w);
        fill(b);
        memory y(pd.dst_desc(), engine_);
        steps.push_back({conv(pd),
                         {{DNNL_ARG_SRC, as(x, pd.src_desc(), &steps)},
                          {DNNL_ARG_WEIGHTS, as(w, pd.weights_desc(), nullptr)},
                          {DNNL_ARG_BIAS, as(b, pd.bias_desc(), nullptr)},
                          {DNNL_ARG_DST, y}}});
        if (!last && apart) {
            eltwise_forward::primitive_desc activation(
                {prop_kind::forward_inference, algorithm::eltwise_relu, pd.dst_desc(), slope, 0}, engine_);
            steps.push_back({eltwise_forward(activation), {{DNNL_ARG_SRC, y}, {DNNL_ARG_DST, y}}});
        }
        return y;
    }

    engine engine_;
    stream stream_;
    std::vector<step> steps_;
};

double together(const types &t, int threads, double seconds)
{
    omp_set_num_threads(threads);
    pipeline p(t);
    p.run();
    std::vector<double> times;
    for (double start = now_s(); times.size() < 3 || now_s() - start < seconds;) {
        double began = now_s();
        p.run();
        times.push_back(now_s() - began);
    }
    std::nth_element(times.begin(), times.begin() + static_cast<long>(times.size() / 2), times.end());
    return times[times.size() / 2];
}

double apart(const types &t, int threads, double seconds)
{
    std::atomic<int> waiting{threads};
    std::atomic<long> cubes{0};
    std::vector<std::thread> all;
    double start = 0;
    for (int i = 0; i < threads; i++)
        all.emplace_back([&] {
            omp_set_num_threads(1);
            pipeline p(t);
            p.run();
            if (--waiting == 0)
                start = now_s();
            while (waiting > 0)
                std::this_thread::yield();
            do {
                p.run();
                cubes++;
            } while (now_s() - start < seconds);
        });
    for (auto &one : all)
        one.join();
    return (now_s() - start) / static_cast<double>(cubes);
}

}

int main(int argc, char **argv)
{
    const std::string precision = argc > 1 ? argv[1] : "";
    const int threads = argc > 2 ? atoi(argv[2]) : 2;
    const double seconds = argc > 3 ? atof(argv[3]) : 5;
    types t;
    if (precision == "fp32")
        t = {type::f32, type::f32, type::f32, type::f32, type::f32};
    else if (precision == "bf16")
        t = {type::bf16, type::bf16, type::bf16, type::f32, type::f32};
    else if (precision == "int8")
        t = {type::u8, type::u8, type::s8, type::f32, type::f32};
    else
        return fprintf(stderr, "usage: onednn fp32|bf16|int8 [THREADS [SECONDS]]\n"), 2;
    try {
        double one = together(t, threads, seconds), each = threads > 1 ? apart(t, threads, seconds) : one;
        const version_t *v = dnnl::version();
        printf("{\"peer\": \"onednn %d.%d.%d\", \"arch\": \"paper\", \"what\": \"frozen, convolutions alone\", "
               "\"precision\": \"%s\", \"threads\": %d, \"seconds_per_cube\": %.6f, \"together\": %.6f, \"apart\": %.6f}\n",
               v->major, v->minor, v->patch, precision.c_str(), threads, std::min(one, each), one, each);
    } catch (const error &e) {
        return fprintf(stderr, "onednn: %s\n", e.what()), 1;
    }
}
