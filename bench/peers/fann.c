/* FANN, called as its manual has it: sigmoid units, gradient descent in batches or by sample. */
#include <stdlib.h>
#include <string.h>
#ifdef IN_DOUBLE
#include <doublefann.h>
#else
#include <floatfann.h>
#endif

struct fann *make(unsigned n_layers, const unsigned *sizes, float rate, unsigned batch) {
    struct fann *net = fann_create_standard_array(n_layers, sizes);
    fann_set_activation_function_hidden(net, FANN_SIGMOID);
    fann_set_activation_function_output(net, FANN_SIGMOID);
    fann_set_train_error_function(net, FANN_ERRORFUNC_LINEAR);
    fann_set_training_algorithm(net, batch == 1 ? FANN_TRAIN_INCREMENTAL : FANN_TRAIN_BATCH);
    fann_set_learning_rate(net, rate);
    fann_set_learning_momentum(net, 0);
    return net;
}

/* Weights are given unit by unit, the bias behind those of its inputs. */
void set_weights(struct fann *net, const fann_type *weights) {
    const unsigned n = fann_get_total_connections(net);
    struct fann_connection *connections = malloc(n * sizeof *connections);
    fann_get_connection_array(net, connections);
    for (unsigned i = 0; i < n; i++) connections[i].weight = weights[i];
    fann_set_weight_array(net, connections, n);
    free(connections);
}

struct fann_train_data *samples(unsigned n, unsigned n_in, const fann_type *X, unsigned n_out,
                                const fann_type *T) {
    struct fann_train_data *data = fann_create_train(n, n_in, n_out);
    for (unsigned i = 0; i < n; i++) {
        memcpy(data->input[i], X + i * n_in, n_in * sizeof *X);
        memcpy(data->output[i], T + i * n_out, n_out * sizeof *T);
    }
    return data;
}

/* fann_shuffle_train_data moves the numbers; the pointers to them are enough. */
static void shuffle(struct fann_train_data *data) {
    for (unsigned i = data->num_data - 1; i > 0; i--) {
        const unsigned j = rand() % (i + 1);
        fann_type *x = data->input[i], *t = data->output[i];
        data->input[i] = data->input[j], data->output[i] = data->output[j];
        data->input[j] = x, data->output[j] = t;
    }
}

/* Returns the mean squared error of the last epoch. */
double train(struct fann *net, struct fann_train_data *data, unsigned batch, unsigned epochs) {
    const unsigned n = data->num_data;
    double error = 0;
    for (unsigned epoch = 0; epoch < epochs; epoch++) {
        if (batch < n) shuffle(data);
        if (batch == 1 || batch >= n) {
            error = fann_train_epoch(net, data);
            continue;
        }
        struct fann_train_data part = *data;
        error = 0;
        for (unsigned i = 0; i < n; i += part.num_data) {
            part.num_data = n - i < batch ? n - i : batch;
            part.input = data->input + i, part.output = data->output + i;
            error += (double)fann_train_epoch(net, &part) * part.num_data / n;
        }
    }
    return error;
}
