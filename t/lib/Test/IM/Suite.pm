package Test::IM::Suite;

# Files of this suite, run in another environment:
#
#     suite_run(IM_TLS => qw(50-contract 43-model));

use strict;
use warnings;

use Cwd qw(abs_path);
use Exporter qw(import);
use File::Basename qw(dirname);
use Test::More;

our @EXPORT = qw(suite_run);

my $T = abs_path(dirname(__FILE__) . '/../../..');


sub suite_run {
    my ($variable, @files) = @_;

    # the model's long runs are for the suite itself
    local $ENV{CI} = '';
    local $ENV{$variable} = 1;

    for my $file (@files) {
        my $pid = open(my $fh, '-|') // die "fork: $!";
        if (!$pid) {
            open STDERR, '>&', \*STDOUT;
            exec $^X, "-I$T/lib", "-I$T/fault", "$T/$file.t"
                or die "exec: $!";
        }
        my $out = join '', <$fh>;
        close $fh;
        is($?, 0, "t/$file.t with $variable")
            or diag join "\n", grep { !/^ok / } split /\n/, $out;
        like($out, qr/^ok [1-9]/m, 'and it is not skipped');
    }
}


1;
