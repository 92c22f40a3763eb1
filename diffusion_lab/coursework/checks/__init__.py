"""The engine of the course: exercises that are judged, hints, guesses and quizzes. It knows no lesson by name."""
