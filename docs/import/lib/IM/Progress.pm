package IM::Progress;

# One line on the terminal: a bar, the rate, the time left.  Without a terminal
# nothing but the lines of line().

use strict;
use warnings;

use Time::HiRes qw(time);

my $EVERY = 0.5;        # seconds
my $WIDTH = 30;


# %o: unit, total (of done(), undef if unknown), quiet

sub new {
    my ($class, %o) = @_;
    return bless { %o, start => time, shown => 0, count => 0, done => 0,
                   tty => !$o{quiet} && ($o{force} || -t STDERR) }, $class;
}


sub add { $_[0]{count} += $_[1] }
sub skip { $_[0]{skipped} += $_[1]; $_[0]{done} += $_[1] }
sub done { $_[0]{done} += $_[1] }


sub show {
    my ($self, $more) = @_;
    my $now = time;
    return if !$self->{tty} || $now - $self->{shown} < $EVERY;
    $self->{shown} = $now;

    my $s = $now - $self->{start};
    my $text = sprintf '%d %s, %d/s', $self->{count}, $self->{unit},
                       $s ? $self->{count} / $s : 0;

    if ($self->{total}) {
        my $part = $self->{done} / $self->{total};
        my $own = $self->{done} - ($self->{skipped} // 0);
        my $left = $own > 0 ? $s * ($self->{total} - $self->{done}) / $own : 0;
        my $full = int($part * $WIDTH);
        $text = sprintf '[%s%s] %3d %%  %s, %s left', '#' x $full,
            '.' x ($WIDTH - $full), 100 * $part, $text, duration($left);
    }
    $text .= ", $more" if length($more // '');
    print STDERR "\r\e[K", substr $text, 0, 110;
}


sub line {
    my ($self, $text) = @_;
    print STDERR $self->{tty} ? "\r\e[K" : '', "$text\n" if !$self->{quiet};
}


sub end {
    my ($self) = @_;
    print STDERR "\r\e[K" if $self->{tty};
}


sub duration {
    my ($s) = @_;
    return sprintf '%d:%02d:%02d', $s / 3600, $s / 60 % 60, $s % 60;
}


1;
