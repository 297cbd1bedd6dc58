/* System 7 as one writes it in plain C: full batch, 2-10-1, sigmoid, half squared error. */
#include <math.h>

enum { N = 4, IN = 2, HIDDEN = 10 };

static double sigmoid(double z) { return 1 / (1 + exp(-z)); }

double train(const double *X, const double *T, double *W1, double *b1, double *W2, double *b2,
             double rate, int epochs) {
    double loss = 0;
    for (int epoch = 0; epoch < epochs; epoch++) {
        double dW1[IN * HIDDEN] = {0}, db1[HIDDEN] = {0}, dW2[HIDDEN] = {0}, db2 = 0;
        loss = 0;
        for (int i = 0; i < N; i++) {
            const double *x = X + i * IN;
            double h[HIDDEN], z = b2[0];
            for (int j = 0; j < HIDDEN; j++) {
                h[j] = sigmoid(b1[j] + x[0] * W1[j] + x[1] * W1[HIDDEN + j]);
                z += h[j] * W2[j];
            }
            const double y = sigmoid(z), e = T[i] - y, d2 = e * y * (1 - y);
            loss += e * e / (2 * N);
            for (int j = 0; j < HIDDEN; j++) {
                const double d1 = d2 * W2[j] * h[j] * (1 - h[j]);
                dW2[j] += h[j] * d2;
                db1[j] += d1;
                dW1[j] += x[0] * d1;
                dW1[HIDDEN + j] += x[1] * d1;
            }
            db2 += d2;
        }
        for (int j = 0; j < HIDDEN; j++) {
            W2[j] += rate * dW2[j] / N;
            b1[j] += rate * db1[j] / N;
            W1[j] += rate * dW1[j] / N;
            W1[HIDDEN + j] += rate * dW1[HIDDEN + j] / N;
        }
        b2[0] += rate * db2 / N;
    }
    return loss;
}
